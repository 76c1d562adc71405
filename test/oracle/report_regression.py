"""The numbers of a report on a network that gives numbers, from its files and the raw examples."""

import os
from statistics import NormalDist

import numpy as np

from report_numbers import File, Graph, float_weights


def numbers(run, data):
    read = lambda name: np.load(os.path.join(data, f"{name}.npy")).astype(np.float64)
    scaling = lambda name: (read(name).mean(axis=0), read(name).std(axis=0))
    (input_mean, input_deviation), (mean, deviation) = scaling("x_train"), scaling("y_train")
    inputs = ((read("x_test") - input_mean) / input_deviation).astype(np.float32)[:, None, None, :]
    truth = read("y_test")
    graph, file = Graph(run), File(run)
    last = next(reversed(file.layers))
    outputs = {
        "float": graph.run(inputs, set(), float_weights(run, graph))[graph.output],
        "qat_float": graph.run(inputs, set())[graph.output],
        "fake_quant": graph.run(inputs)[graph.output],
        "int8": file.reals(file.run(file.codes(inputs, "input"))[last], last),
    }
    errors = {name: np.abs(values * deviation + mean - truth) for name, values in outputs.items()}
    # Targets of several units are added up in deviations of the training targets.
    whole = {name: (each / deviation).mean(axis=1) for name, each in errors.items()}
    ignorant = np.abs(truth - truth.mean(axis=0))
    apart = np.abs(outputs["int8"] - outputs["float"]).mean(axis=1)
    return {
        "errors": {name: {"mean": float(each.mean()), "interval": interval(each)} for name, each in whole.items()},
        "byTarget": {name: each.mean(axis=0).tolist() for name, each in errors.items()},
        "meanAnswer": float((ignorant / deviation).mean()),
        "meanAnswers": ignorant.mean(axis=0).tolist(),
        "inputs": {"mean": input_mean.tolist(), "deviation": input_deviation.tolist()},
        "targets": {"mean": mean.tolist(), "deviation": deviation.tolist()},
        "ports": {"input": list(file.scale_of("input")), "output": list(file.scale_of(last))},
        "furthest": np.argsort(-apart, kind="stable")[:4].tolist(),
    }


def interval(values):
    """Of a mean by the normal distribution."""
    half = NormalDist().inv_cdf(0.975) * values.std(ddof=1) / np.sqrt(len(values))
    return [float(values.mean() - half), float(values.mean() + half)]
