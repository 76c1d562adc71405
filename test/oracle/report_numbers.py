"""The numbers of a report from the raw files of its run, in TensorFlow and NumPy: graph, weights, .tflite, test examples."""

import hashlib
import json
import math
import os
import struct

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

v1 = tf.compat.v1
QUANTIZERS = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
# What conversion makes one layer of, behind a convolution, a dense layer or a sum.
PARTS = (*QUANTIZERS, "Relu", "Relu6")
COMPARED = 64
EPSILON = 1e-3
PARAMETERS = ("filter", "bias", "gamma", "beta", "moving_mean", "moving_variance")


def read(*names):
    with open(os.path.join(*names), "rb") as file:
        return file.read()


def pixels(data, part):
    """As the network reads them: [count, height, width, 1], between 0 and 1."""
    return (np.load(os.path.join(data, f"x_{part}.npy")) / np.float32(255)).astype(np.float32)[..., None]


def labels(data, part):
    return np.load(os.path.join(data, f"y_{part}.npy")).astype(int)


class Graph:
    """A frozen graph; of its fake quantizers those stay that are named, `None` keeps all."""

    def __init__(self, run):
        self.bytes = read(run, "stages/freeze/frozen.pb")
        self.nodes = {node.name: node for node in v1.GraphDef.FromString(self.bytes).node}
        self.quantizers = {name for name, node in self.nodes.items() if node.op in QUANTIZERS}
        self.output = next(reversed(self.nodes))

    def run(self, inputs, kept=None, weights=None, names=()):
        """Values of the nodes and of the output; `weights` stand in for constants of their names."""
        graph = v1.GraphDef.FromString(self.bytes)
        for node in graph.node:
            if node.op in QUANTIZERS and kept is not None and node.name not in kept:
                node.op = "Identity"
                del node.input[1:]
                for attribute in list(node.attr):
                    del node.attr[attribute]
                node.attr["T"].type = tf.float32.as_datatype_enum
            if weights is not None and node.op == "Const" and node.name in weights:
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
        config = v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        names = [*names, self.output]
        with v1.Graph().as_default(), v1.Session(config=config) as session:
            v1.import_graph_def(graph, name="")
            return dict(zip(names, session.run([f"{name}:0" for name in names], {"input:0": inputs})))

    def behind(self, name, layers):
        """The last value before the layer's quantizer, the last of the layer, and the layer's own quantizers."""
        readers = lambda of: [node for node in self.nodes.values() if of in node.input]
        node = self.nodes[name]
        product = self.nodes[node.input[0]] if node.op == "BiasAdd" else node
        own = [each for each in product.input[1:] if product.op in ("Conv2D", "MatMul") and each in self.quantizers]
        activated = quantized = name
        while True:
            following = readers(quantized)
            if len(following) != 1 or following[0].op not in PARTS or following[0].name in layers:
                return activated, quantized, own
            quantized = following[0].name
            if following[0].op in QUANTIZERS:
                own.append(quantized)
            else:
                activated = quantized


class File:
    """A .tflite file by TensorFlow's own reader, and its integers by the reference kernels."""

    def __init__(self, run):
        self.bytes = read(run, "stages/convert/model.tflite")
        self.model = flatbuffer_utils.convert_bytearray_to_object(bytearray(self.bytes))
        self.graph = self.model.subgraphs[0]
        self.names = [tensor.name.decode() for tensor in self.graph.tensors]
        # An op is named after its first output.
        self.layers = {self.names[op.outputs[0]]: op for op in self.graph.operators}

    def size(self, index):
        data = self.model.buffers[self.graph.tensors[index].buffer].data
        return 0 if data is None else len(data)

    def is_constant(self, index):
        return self.size(index) > 0

    def constant(self, index):
        tensor = self.graph.tensors[index]
        dtype = {9: np.int8, 2: np.int32}[tensor.type]
        return np.frombuffer(bytes(self.model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)

    def scale_of(self, name):
        quantization = self.graph.tensors[self.names.index(name)].quantization
        return float(quantization.scale[0]), int(quantization.zeroPoint[0])

    def codes(self, real, name):
        scale, zero = self.scale_of(name)
        steps = (np.asarray(real, np.float32) / np.float32(scale)).astype(np.float32).astype(np.float64)
        rounded = np.sign(steps) * np.floor(np.abs(steps) + 0.5)
        return np.clip(rounded + zero, -128, 127).astype(np.int8)

    def reals(self, codes, name):
        scale, zero = self.scale_of(name)
        return scale * (codes.astype(np.float64) - zero)

    def run(self, codes):
        """Codes of every layer, [examples, ...]."""
        return values_of(self.bytes, [[one] for one in codes], self.layers)

    def alone(self, name, inputs):
        """The codes of one op, which is all there is of the model."""
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(self.bytes))
        graph = model.subgraphs[0]
        op = next(op for op in graph.operators if self.names[op.outputs[0]] == name)
        graph.operators, graph.outputs = [op], list(op.outputs)
        graph.inputs = [index for index in op.inputs if not self.is_constant(index)]
        model.signatureDefs = []
        cut = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
        return values_of(cut, [[values[at] for values in inputs] for at in range(len(inputs[0]))], [name])[name]

    def read_by(self, name):
        return [self.names[index] for index in self.layers[name].inputs if not self.is_constant(index)]


def values_of(model, runs, names):
    interpreter = tf.lite.Interpreter(
        model_content=model,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    ports = {detail["name"]: detail["index"] for detail in interpreter.get_tensor_details()}
    found = {name: [] for name in names}
    for inputs in runs:
        for detail, values in zip(interpreter.get_input_details(), inputs):
            interpreter.set_tensor(detail["index"], values.reshape(detail["shape"]))
        interpreter.invoke()
        for name in names:
            found[name].append(interpreter.get_tensor(ports[name])[0])
    return {name: np.stack(values) for name, values in found.items()}


def decibels(values, reference):
    values, reference = values.astype(np.float64), reference.astype(np.float64)
    signal, noise = np.sum(reference**2), np.sum((values - reference) ** 2)
    return None if signal == 0 or noise == 0 else 10 * math.log10(signal / noise)


def histogram(values, unit):
    """The finest of bins whose width is a power of two times the unit, an eighth at least, of which there are 64."""
    for exponent in range(-3, 60):
        width = 2.0**exponent
        bins = np.floor(values.astype(np.float64).ravel() / unit / width).astype(np.int64)
        if bins.max() - bins.min() < 64:
            counts = np.bincount(bins - bins.min()).tolist()
            return {"low": float(bins.min() * width * unit), "width": float(width * unit), "counts": counts}
    raise ValueError("no width fits")


def spread(count):
    return [index * count // COMPARED for index in range(COMPARED)]


def layers(run, data):
    """What the section of layers shows, by name, and the noise at the output of all of them together."""
    graph, file = Graph(run), File(run)
    inputs = pixels(data, "test")
    inputs = inputs[spread(len(inputs))]
    parts = {name: graph.behind(name, file.layers) for name in file.layers}
    float_values = graph.run(inputs, set(), None, [activated for activated, _, _ in parts.values()])
    simulated = graph.run(inputs, None, None, [quantized for _, quantized, _ in parts.values()])
    codes = {"input": file.codes(inputs, "input")}
    real = file.run(codes["input"])
    found = {}
    for name, (activated, quantized, own) in parts.items():
        scale, zero = file.scale_of(name)
        codes[name] = file.codes(simulated[quantized], name)
        wanted = file.reals(codes[name], name).astype(np.float32)
        expected, integers = float_values[activated], file.reals(real[name], name)
        kernel = file.reals(file.alone(name, [codes[each] for each in file.read_by(name)]), name)
        low, high = scale * (-128 - zero - 0.5), scale * (127 - zero + 0.5)
        outside = (expected < low) | (expected > high)
        error = (wanted.astype(np.float64) - expected) ** 2
        magnitudes = np.sort(np.abs(real[name].astype(int) - zero).ravel())
        most = magnitudes[math.ceil(0.999 * magnitudes.size) - 1]
        found[name] = {
            "scale": scale,
            "zeroPoint": zero,
            "fakeQuantSqnrDb": decibels(wanted, expected),
            "sqnrDb": decibels(integers, wanted),
            "floatSqnrDb": decibels(integers, expected),
            "kernelSqnrDb": decibels(kernel, wanted),
            "withinOneStep": float(np.mean(np.abs(integers - wanted) <= 1.001 * scale)),
            "kernelWithin": float(np.mean(np.abs(kernel - wanted) <= 1.001 * scale)),
            "below": float(np.mean(expected < low)),
            "above": float(np.mean(expected > high)),
            "clippedNoise": float(error[outside].sum() / error.sum()) if error.sum() > 0 else 0.0,
            "min": scale * (-128 - zero),
            "max": scale * (127 - zero),
            "values": histogram(expected, scale),
            "usedCodes": len(np.unique(real[name])),
            "headroom": None if most == 0 else max(127 - zero, zero + 128) / int(most),
            "outputNoise": output_noise(graph, inputs, own, float_values[graph.output]),
            "filter": filter_of(file, name, real[name]),
        }
    return found


def output_noise(graph, inputs, kept, expected):
    if not kept:
        return None
    values = graph.run(inputs, set(kept))[graph.output].astype(np.float64)
    return float(np.sum((values - expected) ** 2) / np.sum(expected.astype(np.float64) ** 2))


def filter_of(file, name, codes):
    constants = [index for index in file.layers[name].inputs if file.is_constant(index)]
    filters = [index for index in constants if file.graph.tensors[index].type == 9]
    if not filters:
        return None
    # These networks have no depthwise convolution: output channels come first.
    scales = np.array(file.graph.tensors[filters[0]].quantization.scale, np.float64)
    weights = file.constant(filters[0]).reshape(len(scales), -1) * scales[:, None]
    reach = np.abs(weights).max(axis=1)
    alive = reach > 0
    ratio = file.scale_of(file.read_by(name)[0])[0] / file.scale_of(name)[0]
    flat = codes.reshape(-1, codes.shape[-1])
    return {
        "channels": len(scales),
        "dead": int(np.sum(~alive)),
        "constant": int(np.sum(flat.min(axis=0) == flat.max(axis=0))),
        "ranges": [float(reach[alive].min()), float(reach[alive].max())],
        "multipliers": [float((ratio * scales[alive]).min()), float((ratio * scales[alive]).max())],
        "values": histogram(weights, scales.max()),
        "extremes": sorted([float(row.min()), float(row.max())] for row in weights),
    }


def safetensors(content):
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, each in header.items():
        first, last = each["data_offsets"]
        if each["dtype"] == "F32":
            values = np.frombuffer(content[8 + length + first : 8 + length + last], np.float32)
            tensors[name] = values.reshape(each["shape"])
    return tensors


def float_weights(run, graph):
    """Of the model before quantization, by the names of the graph: batch norms folded, output channels last."""
    tensors = safetensors(read(run, "stages/pretrain/float_model.safetensors"))
    constants = [name for name, node in graph.nodes.items() if node.op == "Const" and "_quant/" not in name]
    found = {}
    for layer in (name.removesuffix("/filter") for name in tensors if name.endswith("/filter")):
        own = {part: tensors[f"{layer}/{part}"].astype(np.float64) for part in PARAMETERS if f"{layer}/{part}" in tensors}
        weights, bias = own["filter"], own.get("bias", 0)
        if "gamma" in own:
            factor = own["gamma"] / np.sqrt(own["moving_variance"] + EPSILON)
            weights = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
            bias = own["beta"] + (bias - own["moving_mean"]) * factor
        for part, values in (("filter", np.moveaxis(weights, 0, -1)), ("bias", bias)):
            (name,) = [name for name in constants if name.startswith(f"{layer}/") and part in name.split("/")[-1]]
            found[name] = values.astype(np.float32)
    return found


def answers(run, data, part="test"):
    """Outputs of each model, [examples, classes]; those of int8 are codes."""
    graph, file = Graph(run), File(run)
    inputs = pixels(data, part)
    name = next(reversed(file.layers))
    return {
        "float": graph.run(inputs, set(), float_weights(run, graph))[graph.output],
        "qat_float": graph.run(inputs, set())[graph.output],
        "fake_quant": graph.run(inputs)[graph.output],
        "int8": file.run(file.codes(inputs, "input"))[name],
    }


def input_codes(run, data):
    return File(run).codes(pixels(data, "test"), "input")


def guesses(run, data):
    """What int8 says of each example, and what is right."""
    return {
        "guesses": answers(run, data)["int8"].argmax(axis=1).tolist(),
        "truth": labels(data, "test").tolist(),
    }


def confusion(truth, guesses, classes):
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (truth, guesses), 1)
    return counts.tolist()


def flips(before, after, truth):
    return [int(np.sum((before == truth) & (after != truth))), int(np.sum((before != truth) & (after == truth)))]


def accuracy(run, data):
    """What the sections of accuracy, confusion and agreement show."""
    outputs, truth = answers(run, data), labels(data, "test")
    guesses = {name: values.argmax(axis=1) for name, values in outputs.items()}
    classes = outputs["int8"].shape[1]
    before, after = guesses["float"] == truth, guesses["int8"] == truth
    validation = answers(run, data, "val")["float"].argmax(axis=1) == labels(data, "val")
    return {
        "correct": {name: int(np.sum(guess == truth)) for name, guess in guesses.items()},
        "confusion": confusion(truth, guesses["int8"], classes),
        "confusionBefore": confusion(truth, guesses["float"], classes),
        "agreement": {
            "fake_quant_vs_float": float(np.mean(guesses["fake_quant"] == guesses["float"])),
            "int8_vs_fake_quant": float(np.mean(guesses["int8"] == guesses["fake_quant"])),
        },
        "whole": flips(guesses["float"], guesses["int8"], truth),
        "training": flips(guesses["float"], guesses["qat_float"], truth),
        "quantization": flips(guesses["qat_float"], guesses["int8"], truth),
        "groups": [int(np.sum(part)) for part in (before & ~after, ~before & after, ~before & ~after, before & after)],
        "validation": float(np.mean(validation)),
    }


def example(run, data, index):
    """One test example as a report shows it: its pixels, and what three models answer."""
    outputs = answers(run, data)
    file = File(run)
    name = next(reversed(file.layers))
    return {
        "pixels": np.load(os.path.join(data, "x_test.npy"))[index].tobytes(),
        "truth": int(labels(data, "test")[index]),
        "first": outputs["float"][index].astype(float).tolist(),
        "fakeQuant": outputs["fake_quant"][index].astype(float).tolist(),
        "int8": file.reals(outputs["int8"][index], name).tolist(),
        "code": outputs["int8"][index].tolist(),
    }


def kinds_of_examples(run, data):
    """Test examples that quantization turns, and those that stay wrong, each in the order of a report: [index, ...]."""
    outputs, truth = answers(run, data), labels(data, "test")
    file, at = File(run), np.arange(len(truth))
    before = outputs["float"].astype(np.float64)
    after = file.reals(outputs["int8"], next(reversed(file.layers)))
    was_right, is_right = before.argmax(axis=1) == truth, after.argmax(axis=1) == truth

    def lead(values):
        """How far the right answer is ahead of the best of the others."""
        others = values.copy()
        others[at, truth] = -np.inf
        return values[at, truth] - others.max(axis=1)

    lost, (second, first) = lead(before) - lead(after), np.sort(after, axis=1)[:, -2:].T
    kinds = [(was_right & ~is_right, lost), (~was_right & is_right, -lost), (~was_right & ~is_right, first - second)]
    return [at[kind][np.argsort(-rank[kind], kind="stable")].tolist() for kind, rank in kinds]


def footprint(run):
    """Bytes of the file by what they are, multiplications, and when each tensor of the arena is in use."""
    file = File(run)
    tensors = safetensors(read(run, "stages/pretrain/float_model.safetensors"))
    sections = {9: 0, 2: 0}
    seen = set()
    lifetimes = {file.names[index]: [0, 0] for index in file.graph.inputs}
    multiplications = {}
    for step, op in enumerate(file.graph.operators, 1):
        for index in (*op.inputs, *op.outputs):
            tensor = file.graph.tensors[index]
            if not file.is_constant(index):
                lifetimes.setdefault(file.names[index], [step, step])[1] = step
            elif file.graph.tensors[op.inputs[0]].type == 9 and len(op.inputs) == 3 and index not in seen:
                seen.add(index)
                sections[tensor.type] += file.size(index)
        taps = file.graph.tensors[op.inputs[1]].shape if len(op.inputs) == 3 else [0]
        positions = math.prod(file.graph.tensors[op.outputs[0]].shape[:-1])
        multiplications[file.names[op.outputs[0]]] = int(math.prod(taps)) * int(positions)
    bytes_of = lambda name: -(-math.prod(file.graph.tensors[file.names.index(name)].shape) // 16) * 16
    live = [
        sum(bytes_of(name) for name, (first, last) in lifetimes.items() if first <= step <= last)
        for step in range(len(file.graph.operators) + 1)
    ]
    return {
        "size": len(file.bytes),
        "weights": sections[9],
        "biases": sections[2],
        "multiplications": multiplications,
        "parameters": sum(values.size for name, values in tensors.items() if "moving" not in name),
        "tensors": {name: [int(bytes_of(name)), *span] for name, span in lifetimes.items()},
        "peak": int(max(live)),
    }


def digests(run, paths):
    return [hashlib.sha256(read(run, path)).hexdigest() for path in paths]
