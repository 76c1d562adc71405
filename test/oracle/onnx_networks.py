"""Random ONNX networks, as PyTorch exports them and as tf2onnx does, and what ONNX Runtime makes of them."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(3)


class Network:
    """Nodes and weights while they are added. `x` is a value: its name and its shape."""

    def __init__(self, seed, opset):
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.initializers, self.inputs = [], [], []
        self.count = 0
        # Whether nothing in it moves values by itself.
        self.plain = True
        self.compare = "values"

    def fresh(self, kind):
        self.count += 1
        return f"/block{self.count // 4}/{kind.lower()}{self.count}/{kind}"

    def input(self, name, shape):
        self.inputs.append((name, shape))
        return name, shape

    def constant(self, values):
        name = f"weights.{len(self.initializers)}"
        values = np.asarray(values)
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        style = self.random.integers(3)
        if style == 0 and values.dtype == np.float32:
            # Values in their own field instead of raw bytes.
            tensor = helper.make_tensor(name, TensorProto.FLOAT, values.shape, values.flatten())
            self.initializers.append(tensor)
        elif style == 1:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name)))
            self.initializers.append(numpy_helper.from_array(np.zeros(1, np.float32), name + ".unused"))
        else:
            self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def weights(self, *shape, scale=None):
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 1
        return self.constant(self.random.normal(0, scale or 1 / np.sqrt(fan_in), shape).astype(np.float32))

    def add(self, kind, inputs, shape, outputs=1, **attributes):
        name = self.fresh(kind)
        names = [name + "_output"] + [f"{name}_output_{index}" for index in range(1, outputs)]
        unnamed = self.random.integers(8) == 0
        node = helper.make_node(kind, inputs, names, "" if unnamed else name, **attributes)
        self.nodes.append(node)
        if outputs == 1:
            return names[0], tuple(int(size) for size in shape)
        return [(one, tuple(size)) for one, size in zip(names, shape)]

    def model(self, outputs, dynamic):
        def info(name, shape):
            shape = ["batch", *shape[1:]] if dynamic and shape[0] == 1 else shape
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes,
            "network",
            [info(name, shape) for name, shape in self.inputs],
            [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
            self.initializers,
        )
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8 if self.opset < 19 else 10)


def window(size, kernel, stride, pads, dilation=1):
    return (size + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1


def spatial_window(net, shape, kernel_choices=(1, 2, 3, 5), dilate=True):
    """Kernel, strides, dilations, paddings and the size after it, for each spatial axis."""
    random, sizes = net.random, shape[2:]
    rank = len(sizes)
    kernel = [int(random.choice([k for k in kernel_choices if k <= size])) for size in sizes]
    strides = [int(random.integers(1, 3)) for _ in sizes]
    dilations = [1] * rank
    if dilate and random.integers(4) == 0:
        dilations = [2 if (k - 1) * 2 < size else 1 for k, size in zip(kernel, sizes)]
    way = random.integers(5)
    attributes = {"kernel_shape": kernel, "strides": strides}
    if dilate:
        attributes["dilations"] = dilations
    if way < 2 and max(dilations) == 1:
        attributes["auto_pad"] = ["SAME_UPPER", "SAME_LOWER"][way]
        return attributes, [-(-size // stride) for size, stride in zip(sizes, strides)]
    if way <= 2:
        pads = [[0, 0] for _ in sizes]
    elif way == 3:
        pads = [[(k - 1) * d // 2] * 2 for k, d in zip(kernel, dilations)]
    else:
        pads = [[int(random.integers(0, k)), int(random.integers(0, k))] for k in kernel]
    attributes["pads"] = [one[0] for one in pads] + [one[1] for one in pads]
    after = [window(*all_of) for all_of in zip(sizes, kernel, strides, pads, dilations)]
    if min(after) < 1:
        return spatial_window(net, shape, kernel_choices, dilate)
    return attributes, after


layers = {}
heads = {}


def layer(*styles):
    """Registers a function of (net, x) that gives another value of channels first, or None where it does not fit."""

    def register(function):
        layers[function.__name__] = (function, styles)
        return function

    return register


IMAGE, SERIES, ROWS = "image", "series", "rows"
ALL = (IMAGE, SERIES, ROWS)


@layer(IMAGE, SERIES)
def convolution(net, x):
    name, shape = x
    attributes, after = spatial_window(net, shape)
    outputs = int(net.random.choice([2, 3, 4, 6]))
    inputs = [name, net.weights(outputs, shape[1], *attributes["kernel_shape"])]
    if net.random.integers(2):
        inputs.append(net.weights(outputs, scale=0.5))
    y = net.add("Conv", inputs, (1, outputs, *after), **attributes)
    return net.add("Relu", [y[0]], y[1]) if net.random.integers(2) else y


@layer(IMAGE, SERIES)
def convolution_with_batch_norm(net, x):
    name, shape = x
    attributes, after = spatial_window(net, shape, (1, 3))
    y = net.add("Conv", [name, net.weights(4, shape[1], *attributes["kernel_shape"])], (1, 4, *after), **attributes)
    return batch_norm(net, y)


@layer(IMAGE, SERIES)
def convolution_and_added_bias(net, x):
    name, shape = x
    outputs = 5
    kernel = [1] * (len(shape) - 2)
    y = net.add("Conv", [name, net.weights(outputs, shape[1], *kernel)], (1, outputs, *shape[2:]))
    bias = net.constant(net.random.normal(0, 1, (1, outputs, *kernel)).astype(np.float32))
    return net.add("Add", [bias, y[0]] if net.random.integers(2) else [y[0], bias], y[1])


@layer(IMAGE, SERIES)
def depthwise(net, x):
    name, shape = x
    attributes, after = spatial_window(net, shape)
    outputs = shape[1] * int(net.random.integers(1, 3))
    if outputs > 12:
        return None
    weights = net.weights(outputs, 1, *attributes["kernel_shape"])
    return net.add("Conv", [name, weights], (1, outputs, *after), group=shape[1], **attributes)


@layer(IMAGE)
def grouped(net, x):
    name, shape = x
    if shape[1] % 2 or shape[1] < 4:
        return None
    attributes, after = spatial_window(net, shape)
    inputs = [name, net.weights(6, shape[1] // 2, *attributes["kernel_shape"]), net.weights(6, scale=0.5)]
    return net.add("Conv", inputs, (1, 6, *after), group=2, **attributes)


@layer(IMAGE, SERIES)
def transposed_convolution(net, x):
    name, shape = x
    sizes = shape[2:]
    if max(sizes) > 8:
        return None
    random = net.random
    kernel = [int(random.integers(1, 5)) for _ in sizes]
    strides = [int(random.integers(1, 3)) for _ in sizes]
    attributes = {"kernel_shape": kernel, "strides": strides}
    if random.integers(3) == 0:
        attributes["auto_pad"] = "SAME_UPPER"
        kernel = attributes["kernel_shape"] = [max(k, s) for k, s in zip(kernel, strides)]
        after = [size * stride for size, stride in zip(sizes, strides)]
    else:
        pads = [[int(random.integers(0, (k + 1) // 2)) for _ in range(2)] for k in kernel]
        extra = [int(random.integers(0, s)) for s in strides]
        attributes["pads"] = [one[0] for one in pads] + [one[1] for one in pads]
        if random.integers(2):
            attributes["output_padding"] = extra
        else:
            extra = [0] * len(sizes)
        after = [(n - 1) * s + k - sum(p) + e for n, s, k, p, e in zip(sizes, strides, kernel, pads, extra)]
    if min(after) < 1:
        return None
    groups = 2 if shape[1] % 2 == 0 and random.integers(3) == 0 else 1
    weights = net.constant(random.normal(0, 0.5, (shape[1], 4 // groups, *kernel)).astype(np.float32))
    inputs = [name, weights, net.weights(4, scale=0.5)]
    return net.add("ConvTranspose", inputs, (1, 4, *after), group=groups, **attributes)


@layer(IMAGE, SERIES, ROWS)
def batch_norm(net, x):
    name, shape = x
    if len(shape) < 2:
        return None
    size = shape[1]
    parameters = [net.random.uniform(low, high, size).astype(np.float32) for low, high in ((0.5, 1.5), (-1, 1), (-1, 1), (0.5, 2))]
    return net.add("BatchNormalization", [name, *map(net.constant, parameters)], shape, epsilon=1e-3)


def simple(kind, **attributes):
    def function(net, x):
        if kind == "HardSwish" and net.opset < 14:
            return None
        return net.add(kind, [x[0]], x[1], **attributes)

    function.__name__ = kind + "".join(f"_{value}" for value in attributes.values())
    layer(*ALL)(function)


for kind in ("Relu", "Sigmoid", "Tanh", "HardSwish", "Identity", "Neg", "Abs"):
    simple(kind)
simple("LeakyRelu")
simple("LeakyRelu", alpha=0.3)
simple("HardSigmoid")
simple("HardSigmoid", alpha=1 / 6, beta=0.5)
simple("Cast", to=TensorProto.FLOAT)


@layer(*ALL)
def hard_swish_or_silu(net, x):
    if net.random.integers(2):
        y = net.add("HardSigmoid", [x[0]], x[1], alpha=1 / 6, beta=0.5)
    else:
        y = net.add("Sigmoid", [x[0]], x[1])
    return net.add("Mul", [x[0], y[0]], x[1])


@layer(*ALL)
def clip(net, x):
    low, high = [(0, 6), (-1, 1), (0, 1), (None, 0.7), (-0.4, None), (0, None), (-0.5, 2.5)][net.random.integers(7)]
    ends = ["" if end is None else net.constant(np.float32(end)) for end in (low, high)]
    if ends[1] == "":
        ends.pop()
    return net.add("Clip", [x[0], *ends], x[1])


@layer(*ALL)
def relu_then_min(net, x):
    y = net.add("Relu", [x[0]], x[1])
    return net.add("Min", [y[0], net.constant(np.float32(6))], x[1])


@layer(IMAGE, SERIES)
def prelu(net, x):
    slopes = (x[1][1], *[1] * (len(x[1]) - 2)) if net.random.integers(2) else (1,)
    return net.add("PRelu", [x[0], net.constant(net.random.uniform(0, 0.5, slopes).astype(np.float32))], x[1])


@layer(*ALL)
def dropout(net, x):
    inputs = [x[0]] if net.random.integers(2) else [x[0], net.constant(np.float32(0.3))]
    return net.add("Dropout", inputs, x[1])


@layer(*ALL)
def with_constant(net, x):
    name, shape = x
    kinds = ["Add", "Sub", "Mul", "Div", "Max", "Min"]
    kind = kinds[net.random.integers(len(kinds))]
    way = net.random.integers(4)
    channels = (shape[1], *[1] * (len(shape) - 2)) if len(shape) > 2 else shape[1:]
    operand_shape = [(), channels, shape[1:], (1, *channels)][way]
    values = net.random.uniform(0.5, 2, operand_shape) * net.random.choice([-1, 1], operand_shape)
    constant = net.constant(values.astype(np.float32))
    swap = kind != "Div" and net.random.integers(2)
    return net.add(kind, [constant, name] if swap else [name, constant], shape)


@layer(*ALL)
def branches(net, x):
    """Two values of one shape, or one that is stretched."""
    name, shape = x
    y = net.add("Tanh", [name], shape)
    kinds = ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"]
    kind = kinds[net.random.integers(len(kinds))]
    if kind in ("Sum", "Mean"):
        return net.add(kind, [name, y[0], name], shape)
    if len(shape) > 2 and net.random.integers(2):
        pooled = net.add("GlobalAveragePool", [name], (*shape[:2], *[1] * (len(shape) - 2)))
        return net.add(kind, [y[0], pooled[0]] if net.random.integers(2) else [pooled[0], y[0]], shape)
    return net.add(kind, [y[0], name], shape)


@layer(IMAGE)
def squeeze_and_excite(net, x):
    name, shape = x
    pooled = net.add("GlobalAveragePool", [name], (1, shape[1], 1, 1))
    hidden = net.add("Conv", [pooled[0], net.weights(2, shape[1], 1, 1)], (1, 2, 1, 1))
    hidden = net.add("Relu", [hidden[0]], hidden[1])
    scale = net.add("Conv", [hidden[0], net.weights(shape[1], 2, 1, 1)], (1, shape[1], 1, 1))
    scale = net.add("Sigmoid", [scale[0]], scale[1])
    return net.add("Mul", [name, scale[0]], shape)


@layer(IMAGE)
def outer_product(net, x):
    """A value for each channel times one for each pixel."""
    name, shape = x
    channel = net.add("ReduceMean", [name], (1, shape[1], 1, 1), axes=[2, 3]) if net.opset < 18 else None
    if channel is None:
        channel = net.add("ReduceMean", [name, net.integers(2, 3)], (1, shape[1], 1, 1))
    pixel = net.add("Conv", [name, net.weights(1, shape[1], 1, 1)], (1, 1, *shape[2:]))
    return net.add("Mul", [channel[0], pixel[0]], shape)


@layer(*ALL)
def power(net, x):
    return net.add("Pow", [x[0], net.constant(np.float32(2))], x[1])


def pool_window(net, x, **more):
    name, shape = x
    attributes, after = spatial_window(net, shape, (2, 3), dilate=False)
    if "pads" in attributes:
        pads, rank = attributes["pads"], len(shape) - 2
        kernel, strides = attributes["kernel_shape"], attributes["strides"]
        spans = [size + pads[index] + pads[index + rank] - kernel[index] for index, size in enumerate(shape[2:])]
        last = [-(-span // stride) * stride for span, stride in zip(spans, strides)]
        # Versions of ONNX differ in whether a window counts that holds paddings only.
        starts_inside = all(at < size + pads[index] for index, (at, size) in enumerate(zip(last, shape[2:])))
        if net.random.integers(3) == 0 and starts_inside:
            attributes["ceil_mode"] = 1
            after = [at // stride + 1 for at, stride in zip(last, strides)]
    return {**attributes, **more}, after


@layer(IMAGE, SERIES)
def max_pool(net, x):
    if min(x[1][2:]) < 3:
        return None
    attributes, after = pool_window(net, x)
    if net.random.integers(2):
        x = net.add("Relu", [x[0]], x[1])
    return net.add("MaxPool", [x[0]], (*x[1][:2], *after), **attributes)


@layer(IMAGE, SERIES)
def average_pool(net, x):
    if min(x[1][2:]) < 3:
        return None
    attributes, after = pool_window(net, x, count_include_pad=int(net.random.integers(2)))
    if "auto_pad" in attributes and attributes["auto_pad"] == "SAME_LOWER":
        attributes["auto_pad"] = "SAME_UPPER"
    return net.add("AveragePool", [x[0]], (*x[1][:2], *after), **attributes)


@layer(IMAGE, SERIES)
def resize(net, x):
    name, shape = x
    if max(shape[2:]) > 10:
        return None
    rank = len(shape) - 2
    way = net.random.integers(5)
    if way == 0:
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif way == 1:
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor"}
    else:
        mode = ["half_pixel", "align_corners", "asymmetric"][way - 2]
        attributes = {"mode": "linear", "coordinate_transformation_mode": mode}
    if way < 2 or net.random.integers(2):
        scales = [1, 1] + [2] * rank
        inputs = [name, "", net.constant(np.array(scales, np.float32))]
        return net.add("Resize", inputs, [size * scale for size, scale in zip(shape, scales)], **attributes)
    after = [*shape[:2], *[int(net.random.integers(2, 12)) for _ in range(rank)]]
    return net.add("Resize", [name, "", "", net.integers(*after)], after, **attributes)


@layer(IMAGE)
def depth_to_space(net, x):
    name, shape = x
    if shape[1] % 4 or max(shape[2:]) > 8:
        return None
    net.plain = False
    mode = ["DCR", "CRD"][net.random.integers(2)]
    return net.add("DepthToSpace", [name], (1, shape[1] // 4, shape[2] * 2, shape[3] * 2), blocksize=2, mode=mode)


@layer(IMAGE)
def space_to_depth(net, x):
    name, shape = x
    if shape[2] % 2 or shape[3] % 2 or shape[1] > 4:
        return None
    net.plain = False
    return net.add("SpaceToDepth", [name], (1, shape[1] * 4, shape[2] // 2, shape[3] // 2), blocksize=2)


@layer(IMAGE)
def channel_shuffle(net, x):
    name, shape = x
    if shape[1] % 2 or shape[1] == 2:
        return None
    net.plain = False
    cut = (1, 2, shape[1] // 2, *shape[2:])
    y = net.add("Reshape", [name, net.integers(*cut)], cut)
    y = net.add("Transpose", [y[0]], (1, cut[2], 2, *shape[2:]), perm=[0, 2, 1, 3, 4])
    return net.add("Reshape", [y[0], net.integers(1, -1, *shape[2:])], shape)


@layer(*ALL)
def pad(net, x):
    name, shape = x
    if max(shape) > 14:
        return None
    mode = ["constant", "reflect", "edge", "constant"][net.random.integers(4)]
    if mode == "reflect" and min(shape[2:] or shape[1:]) < 3:
        return None
    spatial = range(2, len(shape)) if len(shape) > 2 else range(1, 2)
    pads = [[0, 0] for _ in shape]
    for axis in spatial:
        pads[axis] = [int(net.random.integers(0, 3)), int(net.random.integers(0, 3))]
    inputs = [name, net.integers(*[one[0] for one in pads], *[one[1] for one in pads])]
    if mode == "constant" and net.random.integers(2):
        inputs.append(net.constant(np.float32(net.random.choice([0, 1.5]))))
    return net.add("Pad", inputs, [size + sum(one) for size, one in zip(shape, pads)], mode=mode)


@layer(*ALL)
def slice_(net, x):
    name, shape = x
    axis = int(net.random.integers(1, len(shape)))
    if shape[axis] < 4:
        return None
    begin, end, step = [(1, 2**63 - 1, 1), (0, -1, 1), (0, shape[axis], 2), (-1, -(2**62), -1)][net.random.integers(4)]
    count = len(range(shape[axis])[begin:end:step])
    inputs = [name, *[net.integers(value) for value in (begin, end, axis, step)]]
    return net.add("Slice", inputs, [count if at == axis else size for at, size in enumerate(shape)])


@layer(*ALL)
def gather(net, x):
    name, shape = x
    axis = int(net.random.integers(1, len(shape)))
    if shape[axis] < 3:
        return None
    indices = net.random.integers(-shape[axis], shape[axis], 4)
    after = [4 if at == axis else size for at, size in enumerate(shape)]
    return net.add("Gather", [name, net.integers(*indices)], after, axis=axis)


@layer(*ALL)
def split_and_join(net, x):
    name, shape = x
    axis = int(net.random.integers(1, len(shape)))
    if shape[axis] < 3:
        return None
    sizes = [1, shape[axis] - 1]
    pieces = [[size if at == axis else own for at, own in enumerate(shape)] for size in sizes]
    first, second = net.add("Split", [name, net.integers(*sizes)], pieces, outputs=2, axis=axis)
    second = net.add("Tanh", [second[0]], second[1])
    return net.add("Concat", [second[0], first[0]], shape, axis=axis)


@layer(IMAGE, SERIES)
def dense_block(net, x):
    name, shape = x
    if shape[1] > 6:
        return None
    kernel = [3] * (len(shape) - 2)
    y = net.add("Conv", [name, net.weights(2, shape[1], *kernel)], (1, 2, *shape[2:]), pads=[1] * 2 * (len(shape) - 2))
    y = net.add("Relu", [y[0]], y[1])
    return net.add("Concat", [name, y[0]], (1, shape[1] + 2, *shape[2:]), axis=1)


@layer(*ALL)
def tile(net, x):
    name, shape = x
    if max(shape) > 8:
        return None
    axis = int(net.random.integers(1, len(shape)))
    times = [2 if at == axis else 1 for at in range(len(shape))]
    return net.add("Tile", [name, net.integers(*times)], [size * count for size, count in zip(shape, times)])


@layer(IMAGE)
def expand(net, x):
    name, shape = x
    y = net.add("Conv", [name, net.weights(1, shape[1], 1, 1)], (1, 1, *shape[2:]))
    return net.add("Expand", [y[0], net.integers(1, 3, 1, 1)], (1, 3, *shape[2:]))


@layer(IMAGE, SERIES)
def softmax_over_channels(net, x):
    return net.add("Softmax", [x[0]], x[1], axis=1)


@layer(IMAGE, SERIES)
def normalization(net, x):
    return net.add("LpNormalization", [x[0]], x[1], axis=1, p=2)


def reduce(net, x, kind, axes, keep):
    name, shape = x
    after = [1 if at in axes else size for at, size in enumerate(shape)] if keep else [size for at, size in enumerate(shape) if at not in axes]
    if net.opset >= 18 or kind == "ReduceSum":
        return net.add(kind, [name, net.integers(*axes)], after, keepdims=int(keep))
    return net.add(kind, [name], after, axes=axes, keepdims=int(keep))


REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare")


@layer(*ALL)
def reduction_kept(net, x):
    kind = REDUCTIONS[net.random.integers(len(REDUCTIONS))]
    axis = int(net.random.integers(1, len(x[1])))
    if kind == "ReduceProd" and x[1][axis] > 12:
        kind = "ReduceMax"
    reduced = reduce(net, x, kind, [axis], True)
    reduced = net.add("Tanh", [reduced[0]], reduced[1])
    return net.add("Add", [x[0], reduced[0]], x[1])


@layer(ROWS)
def dense(net, x):
    name, shape = x
    outputs = int(net.random.integers(2, 9))
    y = net.add("MatMul", [name, net.weights(shape[-1], outputs, scale=0.4)], (*shape[:-1], outputs))
    if net.random.integers(3) == 0:
        return y
    bias = net.weights(outputs, scale=0.5)
    return net.add("Add", [y[0], bias] if net.random.integers(2) else [bias, y[0]], y[1])


@layer(ROWS)
def transposed_rows(net, x):
    """A mixer: a layer along the rows."""
    name, shape = x
    if len(shape) != 3:
        return None
    net.plain = False
    y = net.add("Transpose", [name], (1, shape[2], shape[1]), perm=[0, 2, 1])
    y = net.add("MatMul", [y[0], net.weights(shape[1], 5, scale=0.4)], (1, shape[2], 5))
    return net.add("Transpose", [y[0]], (1, 5, shape[2]), perm=[0, 2, 1])


# What makes rows of features of an image or a series.


def head(function):
    heads[function.__name__] = function
    return function


@head
def flattened(net, x):
    name, shape = x
    return net.add("Flatten", [name], (1, int(np.prod(shape))))


@head
def reshaped(net, x):
    name, shape = x
    total = int(np.prod(shape))
    if net.random.integers(2):
        return net.add("Reshape", [name, net.integers(-1, total)], (1, total))
    # As PyTorch exports view(x.size(0), -1).
    whole = net.add("Shape", [name], (len(shape),))
    batch = net.add("Gather", [whole[0], net.constant(np.int64(0))], (), axis=0)
    batch = net.add("Unsqueeze", [batch[0], net.integers(0)], (1,))
    wanted = net.add("Concat", [batch[0], net.integers(-1)], (2,), axis=0)
    return net.add("Reshape", [name, wanted[0]], (1, total))


@head
def averaged(net, x):
    name, shape = x
    y = net.add("GlobalAveragePool", [name], (*shape[:2], *[1] * (len(shape) - 2)))
    if net.random.integers(2):
        return net.add("Flatten", [y[0]], shape[:2])
    return net.add("Squeeze", [y[0], net.integers(*range(2, len(shape)))], shape[:2])


@head
def largest(net, x):
    name, shape = x
    y = net.add("GlobalMaxPool", [name], (*shape[:2], *[1] * (len(shape) - 2)))
    return net.add("Flatten", [y[0]], shape[:2])


@head
def reduced(net, x):
    kind = REDUCTIONS[net.random.integers(4)]
    return reduce(net, x, kind, list(range(2, len(x[1]))), False)


@head
def as_rows(net, x):
    """Pixels as rows of channels, as transformers have them."""
    name, shape = x
    pixels = int(np.prod(shape[2:]))
    y = net.add("Reshape", [name, net.integers(1, shape[1], -1)], (1, shape[1], pixels))
    y = net.add("Transpose", [y[0]], (1, pixels, shape[1]), perm=[0, 2, 1])
    y = net.add("MatMul", [y[0], net.weights(shape[1], 4, scale=0.5)], (1, pixels, 4))
    return reduce(net, y, "ReduceMean", [1], False)


def classifier(net, x):
    name, shape = x
    outputs = 5
    if net.random.integers(2):
        transposed = int(net.random.integers(2))
        weights = net.random.normal(0, 1 / np.sqrt(shape[1]), (outputs, shape[1]) if transposed else (shape[1], outputs))
        inputs = [name, net.constant(weights.astype(np.float32)), net.weights(outputs, scale=0.3)]
        alpha, beta = (1.0, 1.0) if net.random.integers(2) else (0.5, 2.0)
        y = net.add("Gemm", inputs, (1, outputs), transB=transposed, alpha=alpha, beta=beta)
    else:
        y = dense(net, x)
    end = net.random.integers(6)
    if end == 0:
        net.compare = "logarithms"
        return net.add("LogSoftmax", [y[0]], y[1], axis=1)
    if end == 1:
        net.compare = "largest"
        return net.add("ArgMax", [y[0]], (1,), axis=1, keepdims=0)
    return net.add("Softmax", [y[0]], y[1], axis=int(net.random.choice([-1, 1]))) if end < 4 else y


def to_first(net, x):
    """tf2onnx brings what a layer reads to channels first, and what it gives back."""
    rank = len(x[1])
    order = [0, rank - 1, *range(1, rank - 1)]
    return net.add("Transpose", [x[0]], [x[1][axis] for axis in order], perm=order)


def to_last(net, x):
    rank = len(x[1])
    order = [0, *range(2, rank), 1]
    return net.add("Transpose", [x[0]], [x[1][axis] for axis in order], perm=order)


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return [np.asarray(output) for output in session.run(None, dict(zip(names, inputs)))]


def answer(net, model, outputs, examples=2):
    """A model with examples and what ONNX Runtime gives for each of them."""
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    inputs = [[net.random.normal(0, 1, shape).astype(np.float32) for _, shape in net.inputs] for _ in range(examples)]
    results = [[one.astype(np.float32) for one in run(data, values)] for values in inputs]
    return {
        "model": data,
        "inputs": inputs,
        "outputs": results,
        "names": [name for name, _, _ in outputs],
        "ops": sorted({node.op_type for node in model.graph.node}),
        "plain": net.plain,
        "compare": net.compare,
        "opset": net.opset,
    }


def random_network(seed, index):
    """Network `index` of a seed: three in four of images, the others of series and rows; every second as of tf2onnx."""
    net = Network([seed, index], opset=13 + index % 9)
    random = net.random
    kind = [IMAGE, IMAGE, SERIES, IMAGE, IMAGE, ROWS, IMAGE, IMAGE][index % 8]
    last = index % 2 == 1 and kind != ROWS
    if kind == IMAGE:
        channels, height, width = int(random.choice([1, 3, 4])), int(random.integers(5, 10)), int(random.integers(5, 10))
        shape = (1, height, width, channels) if last else (1, channels, height, width)
    elif kind == SERIES:
        shape = (1, int(random.integers(8, 14)), 3) if last else (1, 3, int(random.integers(8, 14)))
    else:
        shape = (1, int(random.integers(3, 8))) if random.integers(2) else (1, int(random.integers(3, 6)), int(random.integers(3, 8)))
    x = net.input("input.1", shape)
    second = None
    if random.integers(5) == 0:
        second = net.input("other", shape)
        # Only what reads an input says how it lies, and two may say different things.
        net.plain = False
    usable = [name for name, (_, styles) in layers.items() if kind in styles]
    side = None
    # Every layer gets its turn, and others come with it.
    turn = usable[(index // 8) % len(usable)] if kind != IMAGE else usable[(index - index // 4) % len(usable)]
    chosen = [turn, *[usable[random.integers(len(usable))] for _ in range(int(random.integers(1, 5)))]]
    random.shuffle(chosen)
    if kind != ROWS and random.integers(2):
        chosen.insert(0, "convolution")
    for position, name in enumerate(chosen):
        before = x
        if last:
            x = to_first(net, x)
        made = layers[name][0](net, x)
        x = x if made is None else made
        if last:
            x = to_last(net, x)
        if position == 0 and second is not None and x[1] == second[1]:
            x = net.add("Add", [x[0], second[0]], x[1])
            second = None
        if position == 1 and random.integers(4) == 0 and before[0] != net.inputs[0][0]:
            side = before
    if second is not None:
        y = net.add("Tanh", [second[0]], second[1])
        side = y
    if kind != ROWS and random.integers(4) > 0:
        names = list(heads)
        name = names[index % len(names)]
        if last and (name not in ("flattened", "reshaped") or random.integers(2)):
            x = to_first(net, x)
        x = heads[name](net, x)
    if len(x[1]) == 2 and random.integers(4) > 0:
        x = classifier(net, x)
    else:
        # Flattened values are an output in ONNX's order.
        net.plain = net.plain and kind != ROWS and len(x[1]) > 2
    outputs = [(x[0], TensorProto.INT64 if net.compare == "largest" else TensorProto.FLOAT, x[1])]
    if side is not None and side[0] != x[0]:
        outputs.append((side[0], TensorProto.FLOAT, side[1]))
    model = net.model(outputs, dynamic=bool(random.integers(2)))
    return answer(net, model, outputs)


# What is computed of constants and shapes alone. Each function gives a node for each result, over constants.

constants = {
    "a": np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.25]], np.float32),
    "b": np.array([[0.5, 2.0, 4.0]], np.float32),
    "positive": np.array([[0.5, 2.0, 4.0], [1.0, 9.0, 0.1]], np.float32),
    "i": np.array([[7, -3, 2], [4, 0, 5]], np.int64),
    "j": np.array([[2, 2, 3]], np.int64),
    "yes": np.array([[True, False, True]]),
    "no": np.array([[False, False, True], [True, True, False]]),
}


def foldings(opset):
    """For each op type, the inputs and attributes of nodes: names of constants, or constants of their own."""
    integers = lambda *values: np.array(values, np.int64)  # noqa: E731
    axes = lambda *values: ([integers(*values)], {}) if opset >= 18 else ([], {"axes": list(values)})  # noqa: E731
    unary = {kind: [(["a"], {})] for kind in ("Neg", "Abs", "Exp", "Floor", "Ceil", "Reciprocal", "Sign", "Relu", "Sigmoid", "Tanh", "Identity")}
    binary = {kind: [(["a", "b"], {}), (["i", "j"], {})] for kind in ("Add", "Sub", "Mul", "Div", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Max", "Min")}
    reductions = {kind: [(["a", *axes(1)[0]], {**axes(1)[1], "keepdims": 0}), (["a"], {})] for kind in ("ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean")}
    return {
        **unary,
        **binary,
        **reductions,
        "ReduceSum": [(["a", integers(0)], {"keepdims": 1}), (["i"], {"keepdims": 0})],
        "Sqrt": [(["positive"], {})],
        "Log": [(["positive"], {})],
        "Pow": [(["positive", "b"], {})],
        "Mod": [(["i", "j"], {})],
        "Not": [(["yes"], {})],
        "And": [(["yes", "no"], {})],
        "Or": [(["yes", "no"], {})],
        "Sum": [(["a", "b", "positive"], {})],
        "Where": [(["no", "a", "b"], {}), (["yes", "i", "j"], {})],
        "Cast": [(["a"], {"to": TensorProto.INT64}), (["i"], {"to": TensorProto.BOOL}), (["no"], {"to": TensorProto.FLOAT})],
        "CastLike": [(["a", "i"], {}), (["i", "a"], {})] if opset >= 15 else [],
        "Constant": [([], {"value_floats": [1.0, 2.5]}), ([], {"value_int": 3}), ([], {"value_ints": [4, 5]}), ([], {"value_float": 0.5})],
        "ConstantOfShape": [([integers(2, 3)], {}), ([integers(1, 2)], {"value": numpy_helper.from_array(np.array([7], np.int64))})],
        "Reshape": [(["a", integers(0, -1, 1)], {}), (["i", integers(-1)], {})],
        "Flatten": [(["a"], {"axis": 0})],
        "Squeeze": [(["b", integers(0)], {}), (["j"], {})],
        "Unsqueeze": [(["a", integers(0, -1)], {})],
        "Transpose": [(["a"], {}), (["i"], {"perm": [1, 0]})],
        "Expand": [(["b", integers(2, 3)], {}), (["a", integers(2, 1, 1)], {})],
        "Gather": [(["a", integers(1, -1)], {"axis": 1}), (["i", np.array(-2, np.int64)], {"axis": 0})],
        "Concat": [(["a", "positive"], {"axis": 0}), (["i", "i"], {"axis": -1})],
        "Slice": [(["a", integers(-1), integers(-9), integers(1), integers(-2)], {}), (["i", integers(0), integers(9), integers(0)], {})],
        "Split": [(["a", integers(1, 2)], {"axis": 1})],
        "Tile": [(["a", integers(2, 3)], {})],
        "Range": [([np.array(2, np.int64), np.array(11, np.int64), np.array(3, np.int64)], {})],
        "Shape": [(["x"], {}), (["x"], {"start": 1})] if opset >= 15 else [(["x"], {})],
        "Size": [(["x"], {})],
    }


def folding(opset, kind):
    """Networks x * 0.5 + constant, whose constant is what a node makes of others, with what ONNX Runtime gives."""
    results = []
    for inputs, attributes in foldings(opset)[kind]:
        net = Network(1, opset)
        x = net.input("x", (1, 4))
        names = [net.constant(one) if isinstance(one, np.ndarray) else x[0] if one == "x" else net.constant(constants[one]) for one in inputs]
        outputs = ["made", "made2"] if kind == "Split" else ["made"]
        net.nodes.append(helper.make_node(kind, names, outputs, **attributes))
        as_float = net.add("Cast", [outputs[-1]], (), to=TensorProto.FLOAT)
        row = net.add("Reshape", [as_float[0], net.integers(1, -1, 1)], ())
        half = net.add("Mul", [x[0], net.constant(np.float32(0.5))], (1, 4))
        sums = net.add("Add", [row[0], half[0]], ())
        outputs = [(sums[0], TensorProto.FLOAT, [None, None, None])]
        results.append(answer(net, net.model(outputs, dynamic=False), outputs))
    return results
