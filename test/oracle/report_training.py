"""The numbers of a report's section on training from raw files: weights, graph, .tflite, examples; and training itself."""

import json

import numpy as np
import tensorflow as tf

import training
from report_numbers import File, Graph, float_weights, labels, pixels, read, safetensors

v1 = tf.compat.v1


def validation(run, data):
    """Share of right answers and mean cross entropy over the validation examples, of each stage's model."""
    graph, truth = Graph(run), labels(data, "val")
    inputs = pixels(data, "val")
    outputs = {
        "pretrain": graph.run(inputs, set(), float_weights(run, graph))[graph.output],
        "qat": graph.run(inputs)[graph.output],
    }
    return {
        stage: {
            "share": float(np.mean(logits.argmax(axis=1) == truth)),
            "loss": float(cross_entropy(logits.astype(np.float64), truth)),
        }
        for stage, logits in outputs.items()
    }


def cross_entropy(logits, truth):
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(truth)), truth])


def rates(steps, rate, warmup=0.0, change=None):
    """Of a cosine schedule: a linear rise, then half a cosine; `change` is a step, counted from 1, and another rate."""
    number = np.arange(steps)
    rise = round(warmup * steps)
    height = np.where(number + 1 >= change[0], change[1], rate) if change else np.full(steps, rate)
    fall = height / 2 * (1 + np.cos(np.pi * (number - rise) / (steps - rise)))
    return np.where(number < rise, height * (number + 1) / max(rise, 1), fall).tolist()


def averages(values):
    """Each with all before it, the weight of a value falling by 1 - 20 / n from one to the next; of n values."""
    fall = max(0.0, 1 - 20 / len(values))
    found = []
    for last in range(len(values)):
        weights = fall ** np.arange(last, -1, -1, dtype=np.float64)
        found.append(float(np.dot(weights, values[: last + 1]) / weights.sum()))
    return found


def recorded(run, stage, name):
    """Of every step, as the stage's file says."""
    history = json.loads(read(run, f"stages/{stage}/metrics.json"))["history"]
    assert [point["step"] for point in history] == list(range(1, len(history) + 1)), "some steps are left out"
    return [point[name] for point in history]


def ranges(run):
    """Of each trained quantizer: what the frozen graph holds, and what the codes of the .tflite file reach."""
    graph, file = Graph(run), File(run)
    value = lambda name: float(tf.make_ndarray(graph.nodes[name].attr["value"].tensor))
    found = {}
    for name in file.layers:
        _, quantized, _ = graph.behind(name, file.layers)
        quantizer = quantized.removesuffix("/fake_quant")
        if quantizer.endswith("/act_quant"):
            scale, zero = file.scale_of(name)
            found[quantizer] = {
                "frozen": [value(f"{quantizer}/{end}") for end in ("min", "max")],
                "codes": [scale * (-128 - zero), scale * (127 - zero)],
                "scale": scale,
            }
    return found


def repeat(run, data, options, learning_rates):
    """Trains the float model of a run of `conv` and `logits` on all examples at once: losses and ranges of each step."""
    initial = safetensors(read(run, "stages/pretrain/float_model.safetensors"))
    inputs, truth = pixels(data, "train"), labels(data, "train")
    names = [f"{layer}/{part}" for layer in ("conv", "logits") for part in ("filter", "bias")]
    ends = [f"{layer}/act_quant/{end}" for layer in ("conv", "logits") for end in ("min", "max")]
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        rate = v1.placeholder(tf.float32, [])
        with v1.variable_scope("", use_resource=True):
            weights = {name: v1.get_variable(name, initializer=initial[name]) for name in names}
            places, fetches, updates = training.build(inputs.shape, weights, {**options, "rate": rate})
        session.run(v1.global_variables_initializer())
        wanted = {"loss": fetches["loss"], **{name: fetches[name] for name in ends}}
        steps = []
        for value in learning_rates:
            computed, _ = session.run([wanted, updates], {**dict(zip(places, (inputs, truth))), rate: value})
            steps.append({name: float(found) for name, found in computed.items()})
        return steps
