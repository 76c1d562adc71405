"""Small networks of one kind of op each, as .tflite files of floats and as frozen graphs: what random networks seldom have."""

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tf_networks import run_lite

v1 = tf.compat.v1
raw = tf.raw_ops

IMAGE, SERIES, ROWS = (6, 6, 4), (8, 4), (6,)


def registry():
    """A table, and the decorator that puts a function of (random, x) into it, with the shape of x behind the batch."""
    cases = {}

    def case(shape=IMAGE):
        def register(function):
            cases[function.__name__] = (function, shape)
            return function

        return register

    return cases, case


def weights(random, *shape):
    return tf.constant(random.normal(0, 0.5, shape).astype(np.float32))


def result(model, inputs, outputs, ops=()):
    """As the tests read a network: two examples, each a list of inputs and one of outputs."""
    return {"model": model, "inputs": [[one] for one in inputs], "outputs": [[one] for one in outputs], "ops": list(ops)}


# What TensorFlow's converter makes one op of .tflite files of.

lite_cases, lite = registry()


@lite()
def absolute(random, x):
    return tf.abs(x) + 1.0


@lite()
def larger_of_two(random, x):
    return tf.maximum(x, tf.tanh(x) * 2.0)


@lite()
def smaller_of_two(random, x):
    return tf.minimum(x, tf.sigmoid(x))


@lite()
def larger_than_numbers(random, x):
    return tf.maximum(x, weights(random, 4))


@lite()
def largest_of_image(random, x):
    return tf.reduce_max(x, [1, 2])


@lite()
def largest_of_rows(random, x):
    return tf.reduce_max(x, 2, keepdims=True) * 0.5


@lite(SERIES)
def largest_of_series(random, x):
    return tf.reduce_max(x, 1)


@lite()
def packed(random, x):
    return tf.stack([x, tf.tanh(x)], 3)[:, :, :, 1]


@lite()
def unpacked(random, x):
    first, *others = tf.unstack(x, axis=2)
    return first - others[2]


@lite()
def long_axis(random, x):
    return tf.concat([tf.expand_dims(x[:, 0], 2), tf.expand_dims(x[:, 1], 2)], 2)


@lite()
def sliced(random, x):
    return tf.slice(x, [0, 1, 2, 0], [-1, 3, 4, 2])


@lite()
def strided(random, x):
    return x[:, ::2, 1:-1, 1:3]


@lite()
def strided_ellipsis(random, x):
    return x[..., 1] + x[:, 2:3, ..., 0]


@lite()
def tiled(random, x):
    return tf.tile(x, [1, 2, 1, 3])


@lite()
def split_evenly(random, x):
    first, second = tf.split(x, 2, 3)
    return first * second


@lite(SERIES)
def squeezed(random, x):
    """Where only one size is unknown, the converter writes a reshape."""
    return tf.squeeze(tf.reshape(x, [tf.shape(x)[0], -1, 1, 4]) + 1.0, [2])


@lite()
def transposed(random, x):
    return tf.transpose(x, [0, 3, 1, 2]) * 2.0


@lite()
def reshaped_by_its_shape(random, x):
    sizes = tf.shape(x)
    return tf.reshape(x, [sizes[0], sizes[1] * sizes[2], sizes[3]])


@lite()
def flattened_by_its_shape(random, x):
    return tf.reshape(x, [-1, tf.reduce_prod(tf.shape(x)[1:])])


@lite()
def depth_of_space(random, x):
    return tf.nn.space_to_depth(x, 3)


@lite()
def space_of_depth(random, x):
    return tf.nn.depth_to_space(x, 2)


@lite()
def padded(random, x):
    return tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])


@lite()
def totals(random, x):
    return tf.reduce_sum(x, [1, 2], keepdims=True) + x


@lite()
def means(random, x):
    return tf.reduce_mean(x, [2])


@lite(ROWS)
def unit_length(random, x):
    return tf.math.l2_normalize(x, -1)


@lite()
def unit_pixels(random, x):
    return tf.math.l2_normalize(x, -1)


@lite(ROWS)
def classes(random, x):
    return tf.nn.softmax(x @ weights(random, 6, 3))


@lite()
def leaky(random, x):
    return tf.nn.leaky_relu(x, 0.15)


@lite()
def hard_swish(random, x):
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


@lite()
def slopes(random, x):
    return tf.nn.relu(x) + -weights(random, 1, 1, 4) * tf.nn.relu(-x)


@lite()
def between_ones(random, x):
    return tf.clip_by_value(tf.nn.conv2d(x, weights(random, 1, 1, 4, 3), 1, "SAME"), -1.0, 1.0)


@lite()
def rectified(random, x):
    return tf.concat([tf.nn.relu(x), tf.nn.relu6(tf.transpose(x, [0, 2, 1, 3]))], 1)


@lite()
def bent(random, x):
    return tf.sigmoid(x) - tf.tanh(x)


@lite()
def pooled(random, x):
    return tf.concat([tf.nn.max_pool2d(x, 2, 2, "SAME"), tf.nn.avg_pool2d(x, (3, 2), 2, "SAME")], 3)


@lite()
def resized(random, x):
    return tf.image.resize(tf.image.resize(x, [12, 9], "bilinear"), [6, 18], "nearest")


@lite()
def convolved(random, x):
    return tf.nn.relu(tf.nn.conv2d(x, weights(random, 3, 3, 4, 5), [2, 1], "SAME") + weights(random, 5))


@lite()
def convolved_in_blocks(random, x):
    """The converter takes blocks for a dilation only where nothing comes between."""
    blocks = tf.space_to_batch_nd(x, [2, 3], [[2, 2], [3, 3]])
    made = tf.nn.relu6(tf.nn.conv2d(blocks, weights(random, 3, 3, 4, 3), 1, "VALID") + weights(random, 3))
    return tf.batch_to_space(made, [2, 3], [[0, 0], [0, 0]])


@lite()
def convolved_with_gaps(random, x):
    return tf.nn.conv2d(x, weights(random, 3, 3, 4, 3), 1, "SAME", dilations=[1, 2])


@lite()
def depthwise(random, x):
    return tf.nn.relu6(tf.nn.depthwise_conv2d(x, weights(random, 3, 2, 4, 2), [1, 2, 2, 1], "SAME"))


@lite()
def transposed_convolution(random, x):
    shape = [tf.shape(x)[0], 12, 12, 3]
    return tf.nn.conv2d_transpose(x, weights(random, 3, 3, 3, 4), shape, 2, "SAME") + weights(random, 3)


@lite(ROWS)
def dense(random, x):
    return tf.nn.relu(x @ weights(random, 6, 5) + weights(random, 5)) * weights(random, 5)


@lite(ROWS)
def from_half(random, x):
    return x @ weights(random, 6, 40)


# Ops of the table that no float graph has.

refused_cases, refused = registry()


@refused()
def largest_position(random, x):
    return tf.argmax(x, -1, output_type=tf.int32)


@refused()
def smallest_position(random, x):
    return tf.argmin(x, -1, output_type=tf.int32)


@refused()
def mirrored(random, x):
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")


@refused()
def gathered(random, x):
    return tf.gather(x, [2, 0, 2], axis=1)


@refused(ROWS)
def logarithms(random, x):
    return tf.nn.log_softmax(x)


@refused()
def smallest_of_image(random, x):
    return tf.reduce_min(x, [1, 2])


@refused()
def product_of_image(random, x):
    return tf.reduce_prod(x, [1, 2])


def lite_case(seed, name):
    """A file, and what TensorFlow Lite makes of two examples."""
    function, shape = {**lite_cases, **refused_cases}[name]
    random = np.random.default_rng([seed, *name.encode()])
    traced = tf.function(lambda x: function(random, x)).get_concrete_function(tf.TensorSpec([None, *shape], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(traced)])
    if name == "from_half":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    model = converter.convert()
    inputs = [random.normal(0, 1, (1, *shape)).astype(np.float32) for _ in range(2)]
    return result(model, inputs, [run_lite(model, [one])[0] for one in inputs])


# Nodes of TensorFlow's graphs, each as an op by itself.

node_cases, node = registry()


def numbers(*values):
    return tf.constant(values, tf.int32)


def plain(kind):
    """The op of (x=..., ...)."""
    return getattr(raw, kind)


for kind in ("Abs", "Neg", "Square", "Relu", "Relu6", "Sigmoid", "Tanh"):
    node_cases[kind] = (lambda random, x, kind=kind: plain(kind)(**{"features" if "Relu" in kind else "x": x}), IMAGE)
for kind in ("Identity", "Snapshot", "StopGradient", "PreventGradient"):
    node_cases[kind] = (lambda random, x, kind=kind: plain(kind)(input=x) * 2.0, IMAGE)
for kind in ("Add", "AddV2", "Mul", "Sub", "Maximum", "Minimum"):
    node_cases[kind] = (lambda random, x, kind=kind: plain(kind)(x=x, y=raw.Tanh(x=x)), IMAGE)
    node_cases[f"{kind} of numbers"] = (lambda random, x, kind=kind: plain(kind)(x=weights(random, 4), y=x), IMAGE)
for kind in ("Maximum", "Minimum"):
    node_cases[f"{kind} of a number"] = (lambda random, x, kind=kind: plain(kind)(x=x, y=tf.constant(0.3)), IMAGE)
for kind in ("Div", "RealDiv"):
    node_cases[kind] = (lambda random, x, kind=kind: plain(kind)(x=x, y=weights(random, 4) + 2.0), IMAGE)
for kind in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
    node_cases[kind] = (lambda random, x, kind=kind: normalized(random, x, plain(kind)), IMAGE)
for kind in ("Mean", "Sum"):
    node_cases[kind] = (lambda random, x, kind=kind: plain(kind)(input=x, axis=numbers(-1, 1)), IMAGE)
    node_cases[f"{kind} kept"] = (lambda random, x, kind=kind: plain(kind)(input=x, axis=numbers(2), keep_dims=True), IMAGE)


def normalized(random, x, op):
    factors = [tf.constant(random.uniform(0.5, 2, x.shape[-1]).astype(np.float32)) for _ in range(2)]
    offsets = [weights(random, x.shape[-1]) for _ in range(2)]
    return op(x=x, scale=factors[0], offset=offsets[0], mean=offsets[1], variance=factors[1], is_training=False)[0]


@node()
def AddN(random, x):
    return raw.AddN(inputs=[x, raw.Tanh(x=x), raw.Sigmoid(x=x)])


@node(ROWS)
def MatMul(random, x):
    return raw.BiasAdd(value=raw.MatMul(a=x, b=weights(random, 5, 6), transpose_b=True), bias=weights(random, 5))


@node(SERIES)
def BatchMatMulV2(random, x):
    return raw.AddV2(x=raw.BatchMatMulV2(x=x, y=weights(random, 4, 5)), y=weights(random, 5))


@node(SERIES)
def BatchMatMulV2_turned(random, x):
    return raw.BatchMatMulV2(x=x, y=weights(random, 5, 4), adj_y=True)


@node()
def SpaceToBatchND(random, x):
    blocks = raw.SpaceToBatchND(input=x, block_shape=numbers(2, 3), paddings=[[2, 2], [3, 3]])
    made = raw.Conv2D(input=blocks, filter=weights(random, 3, 3, 4, 5), strides=[1, 1, 1, 1], padding="VALID")
    image = raw.BatchToSpaceND(input=made, block_shape=numbers(2, 3), crops=[[0, 0], [0, 0]])
    return raw.BiasAdd(value=image, bias=weights(random, 5))


@node()
def SpaceToBatchND_depthwise(random, x):
    blocks = raw.SpaceToBatchND(input=x, block_shape=numbers(2, 2), paddings=[[0, 0], [0, 0]])
    made = raw.DepthwiseConv2dNative(input=blocks, filter=weights(random, 2, 2, 4, 2), strides=[1, 1, 1, 1], padding="VALID")
    return raw.BatchToSpaceND(input=made, block_shape=numbers(2, 2), crops=[[0, 0], [0, 0]])


@node()
def Cast(random, x):
    return raw.Mul(x=raw.Cast(x=x, DstT=tf.float32), y=weights(random, 4))


@node()
def CheckNumerics(random, x):
    return raw.Relu(features=raw.CheckNumerics(tensor=x, message="not a number"))


@node()
def ClipByValue(random, x):
    return raw.ClipByValue(t=x, clip_value_min=tf.constant(-0.5), clip_value_max=tf.constant(0.75))


@node()
def Conv2D(random, x):
    made = raw.Conv2D(input=x, filter=weights(random, 3, 2, 4, 5), strides=[1, 2, 1, 1], padding="SAME", dilations=[1, 1, 1, 1])
    return raw.Relu(features=raw.BiasAdd(value=made, bias=weights(random, 5)))


@node()
def Conv2D_explicit(random, x):
    pads = [0, 0, 1, 0, 2, 1, 0, 0]
    return raw.Conv2D(input=x, filter=weights(random, 3, 3, 4, 2), strides=[1, 1, 1, 1], padding="EXPLICIT", explicit_paddings=pads)


@node()
def Conv2DBackpropInput(random, x):
    """The shape that it makes is computed of its input's, as Keras has it."""
    whole = raw.Shape(input=x)
    batch = raw.StridedSlice(input=whole, begin=numbers(0), end=numbers(1), strides=numbers(1), shrink_axis_mask=1)
    sizes = raw.Pack(values=[batch, tf.constant(12), tf.constant(12), tf.constant(3)])
    made = raw.Conv2DBackpropInput(
        input_sizes=sizes, filter=weights(random, 3, 3, 3, 4), out_backprop=x, strides=[1, 2, 2, 1], padding="SAME"
    )
    return raw.BiasAdd(value=made, bias=weights(random, 3))


@node()
def DepthwiseConv2dNative(random, x):
    return raw.DepthwiseConv2dNative(input=x, filter=weights(random, 3, 3, 4, 2), strides=[1, 2, 2, 1], padding="SAME")


@node()
def DepthToSpace(random, x):
    return raw.DepthToSpace(input=x, block_size=2)


@node()
def SpaceToDepth(random, x):
    return raw.SpaceToDepth(input=x, block_size=3)


@node()
def ExpandDims(random, x):
    row = raw.ExpandDims(input=raw.Mean(input=x, axis=numbers(1)), axis=tf.constant(-3))
    return raw.AddV2(x=x, y=row)


@node()
def IdentityN(random, x):
    first, second = raw.IdentityN(input=[x, raw.Tanh(x=x)])
    return raw.Sub(x=first, y=second)


@node()
def Max(random, x):
    return raw.Max(input=x, axis=numbers(1, 2))


@node()
def Max_kept(random, x):
    return raw.Mul(x=raw.Max(input=x, axis=numbers(2), keep_dims=True), y=x)


@node(SERIES)
def Max_of_series(random, x):
    return raw.Max(input=x, axis=numbers(-2))


def branches(x, condition):
    """As TensorFlow 1 writes what differs between training and inference."""
    otherwise, taken = raw.Switch(data=x, pred=tf.constant(condition))
    return raw.Merge(inputs=[raw.Tanh(x=otherwise), raw.Mul(x=taken, y=tf.constant(3.0))])[0]


@node()
def Switch(random, x):
    return branches(x, True)


@node()
def Switch_not_taken(random, x):
    return branches(x, False)


@node()
def Pack(random, x):
    packed = raw.Pack(values=[x, raw.Tanh(x=x)], axis=-1)
    return raw.Sum(input=packed, axis=numbers(4))


@node()
def Unpack(random, x):
    parts = raw.Unpack(value=x, num=4, axis=-1)
    return raw.Mul(x=parts[1], y=parts[3])


@node()
def Pad(random, x):
    return raw.Pad(input=x, paddings=[[0, 0], [1, 0], [0, 2], [0, 0]])


@node()
def PadV2(random, x):
    return raw.PadV2(input=x, paddings=[[0, 0], [1, 2], [0, 0], [1, 0]], constant_values=tf.constant(0.0))


@node()
def PlaceholderWithDefault(random, x):
    return raw.Mul(x=x, y=raw.PlaceholderWithDefault(input=tf.constant(1.5), shape=[]))


@node()
def Reshape(random, x):
    return raw.Reshape(tensor=x, shape=numbers(-1, 9, 16))


@node()
def Slice(random, x):
    return raw.Slice(input=x, begin=numbers(0, 1, 2, 0), size=numbers(-1, 3, -1, 2))


@node()
def Split(random, x):
    parts = raw.Split(axis=tf.constant(2), value=x, num_split=3)
    return raw.Sub(x=parts[2], y=parts[0])


@node()
def SplitV(random, x):
    first, second = raw.SplitV(value=x, size_splits=numbers(1, -1), axis=tf.constant(-1), num_split=2)
    return raw.Mul(x=first, y=second)


@node()
def Squeeze(random, x):
    mean = raw.Mean(input=x, axis=numbers(1, 2), keep_dims=True)
    return raw.Squeeze(input=mean, axis=[1, 2])


@node()
def StridedSlice(random, x):
    made = raw.StridedSlice(
        input=x, begin=numbers(0, 1, 0, 3), end=numbers(0, 5, 6, 4), strides=numbers(1, 2, 3, 1), begin_mask=1, end_mask=1,
        shrink_axis_mask=8,
    )
    return raw.Relu(features=made)


@node()
def StridedSlice_ellipsis(random, x):
    return x[:, ::3, ..., 2] * x[..., 1:5:2, :, 1]


@node(SERIES)
def StridedSlice_new_axis(random, x):
    return x[:, tf.newaxis, ::2, 1] * 2.0


@node(SERIES)
def StridedSlice_new_last_axis(random, x):
    return x[:, 2:, ..., tf.newaxis] * x[:, 2:, :1, tf.newaxis]


@node(SERIES)
def StridedSlice_ellipsis_of_nothing(random, x):
    return x[:, 2:5, ..., -1]


@node()
def Tile(random, x):
    return raw.Tile(input=x, multiples=numbers(1, 1, 2, 2))


@node()
def Transpose(random, x):
    return raw.Transpose(x=x, perm=numbers(0, 2, 3, 1))


@node()
def LeakyRelu(random, x):
    return raw.LeakyRelu(features=x, alpha=0.15)


@node()
def Prelu(random, x):
    negative = raw.Mul(x=raw.Neg(x=weights(random, 4)), y=raw.Relu(features=raw.Neg(x=x)))
    return raw.AddV2(x=raw.Relu(features=x), y=negative)


@node()
def HardSwish(random, x):
    gate = raw.Relu6(features=raw.AddV2(x=x, y=tf.constant(3.0)))
    return raw.Mul(x=raw.Mul(x=x, y=gate), y=tf.constant(1.0 / 6.0))


@node(ROWS)
def L2Normalize(random, x):
    total = raw.Sum(input=raw.Square(x=x), axis=numbers(-1), keep_dims=True)
    return raw.Mul(x=x, y=raw.Rsqrt(x=raw.Maximum(x=total, y=tf.constant(1e-12))))


@node(ROWS)
def RowBatchNorm(random, x):
    image = raw.Reshape(tensor=x, shape=numbers(-1, 1, 1, 6))
    return raw.Reshape(tensor=normalized(random, image, raw.FusedBatchNormV3), shape=numbers(-1, 6))


@node()
def batch_norm_in_parts(random, x):
    """As tf.nn.batch_normalization spells it out."""
    variance = tf.constant(random.uniform(0.5, 2, 4).astype(np.float32))
    scale = raw.Mul(x=raw.Rsqrt(x=raw.AddV2(x=variance, y=tf.constant(1e-3))), y=weights(random, 4))
    shift = raw.Sub(x=weights(random, 4), y=raw.Mul(x=weights(random, 4), y=scale))
    return raw.AddV2(x=raw.Mul(x=x, y=scale), y=shift)


@node()
def MaxPool(random, x):
    return raw.MaxPool(input=x, ksize=[1, 2, 3, 1], strides=[1, 2, 1, 1], padding="SAME")


@node()
def AvgPool(random, x):
    return raw.AvgPool(value=x, ksize=[1, 3, 2, 1], strides=[1, 1, 2, 1], padding="VALID")


@node()
def ResizeBilinear(random, x):
    return raw.ResizeBilinear(images=x, size=numbers(9, 12), half_pixel_centers=True)


@node()
def ResizeBilinear_corners(random, x):
    return raw.ResizeBilinear(images=x, size=numbers(11, 4), align_corners=True)


@node()
def ResizeNearestNeighbor(random, x):
    return raw.ResizeNearestNeighbor(images=x, size=numbers(12, 9), half_pixel_centers=True)


@node()
def ConcatV2(random, x):
    return raw.ConcatV2(values=[x, raw.Tanh(x=x)], axis=tf.constant(-1))


@node(ROWS)
def Softmax(random, x):
    return raw.Softmax(logits=x)


def ops_in(graph_def):
    return sorted({node.op for node in graph_def.node})


def in_session(function, shape, values):
    """A frozen graph and its outputs. Nothing rewrites it: what is written is what is read."""
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default() as graph, v1.Session(graph=graph, config=config) as session:
        x = v1.placeholder(tf.float32, [None, *shape], "x")
        result = raw.Identity(input=function(x), name="result")
        model = graph.as_graph_def()
        return model, [session.run(result, {x: one}) for one in values]


def node_case(seed, name):
    function, shape = node_cases[name]
    random = np.random.default_rng([seed, *name.encode()])
    inputs = [random.normal(0, 1, (1, *shape)).astype(np.float32) for _ in range(2)]
    model, outputs = in_session(lambda x: function(random, x), shape, inputs)
    return result(model.SerializeToString(), inputs, outputs, ops_in(model))


# What is computed of constants and shapes alone. Each function gives constants for the inputs of an op, and attributes.

FLOATS = np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.25]], np.float32)
FACTORS = np.array([[0.5, 2.0, 4.0]], np.float32)
POSITIVE = np.array([[0.5, 2.0, 4.0], [1.0, 9.0, 0.1]], np.float32)
WHOLE = np.array([[7, -3, 2], [4, 0, 5]], np.int32)
ROW = np.array([[2, 2, 3]], np.int32)
YES, NO = np.array([[True, False, True]]), np.array([[False, False, True], [True, True, False]])


def foldings():
    """For each op, the arguments of nodes by name. "x" stands for the input of the network."""
    both = lambda *pairs: [dict(x=a, y=b) for a, b in pairs]  # noqa: E731
    one = lambda *values: [dict(x=a) for a in values]  # noqa: E731
    arithmetic = ("Add", "AddV2", "Sub", "Mul", "Div", "Maximum", "Minimum")
    comparisons = ("Equal", "NotEqual", "Greater", "Less")
    return {
        **{op: both((FLOATS, FACTORS), (WHOLE, ROW)) for op in (*arithmetic, *comparisons, "FloorDiv", "FloorMod")},
        **{op: one(FLOATS) for op in ("Neg", "Square", "Reciprocal", "Exp", "Abs")},
        **{op: one(POSITIVE) for op in ("Sqrt", "Rsqrt", "Log")},
        **{op: both((YES, NO)) for op in ("LogicalAnd", "LogicalOr")},
        **{
            op: [dict(input=FLOATS, axis=np.int32(1)), dict(input=WHOLE, axis=np.int32([0, -1]), keep_dims=True)]
            for op in ("Prod", "Max", "Min")
        },
        "RealDiv": both((FLOATS, FACTORS)),
        "Pow": both((POSITIVE, FACTORS), (WHOLE, np.int32(2))),
        "LogicalNot": one(NO),
        "Cast": [dict(x=FLOATS, DstT=tf.int32), dict(x=WHOLE, DstT=tf.bool), dict(x=NO, DstT=tf.float32)],
        "Gather": [dict(params=FLOATS, indices=np.int32([1, 0, 1])), dict(params=WHOLE, indices=np.int32(1))],
        "GatherV2": [dict(params=FLOATS, indices=np.int32([[2, 0]]), axis=np.int32(1)), dict(params=WHOLE, indices=np.int32(1), axis=np.int32(-1))],
        "Pack": [dict(values=[FLOATS, POSITIVE]), dict(values=[np.int32(2), np.int32(3)])],
        "ExpandDims": [dict(input=FLOATS, axis=np.int32(-1)), dict(input=WHOLE, axis=np.int32(1))],
        "Reshape": [dict(tensor=FLOATS, shape=np.int32([-1, 2])), dict(tensor=WHOLE, shape=np.int32([6]))],
        "Range": [dict(start=np.int32(2), limit=np.int32(11), delta=np.int32(3)), dict(start=np.float32(1), limit=np.float32(-0.2), delta=np.float32(-0.25))],
        "Fill": [dict(dims=np.int32([2, 3]), value=np.float32(1.5)), dict(dims=np.int32([4]), value=np.int32(-2))],
        "Shape": [dict(input="x")],
        "Size": [dict(input="x")],
        "Rank": [dict(input="x")],
        # By our own loops, of which a row of the table makes the constant.
        "ConcatV2": [dict(values=[FLOATS, POSITIVE], axis=np.int32(0)), dict(values=[WHOLE, WHOLE], axis=np.int32(-1))],
        "Mean": [dict(input=FLOATS, axis=np.int32(0))],
        "Sum": [dict(input=FLOATS, axis=np.int32(1)), dict(input=WHOLE, axis=np.int32(0))],
        "Transpose": [dict(x=FLOATS, perm=np.int32([1, 0]))],
        "Tanh": one(FLOATS),
        "Relu": [dict(features=FLOATS)],
        "StridedSlice": [
            dict(input=WHOLE, begin=np.int32([0, 2]), end=np.int32([2, 0]), strides=np.int32([1, -1])),
            dict(input=ROW, begin=np.int32([0, 1]), end=np.int32([1, 2]), strides=np.int32([1, 1]), shrink_axis_mask=3),
        ],
    }


def folding(kind):
    """Networks x * 0.5 + constant, whose constant is what a node makes of others."""
    results = []
    for arguments in foldings()[kind]:
        inputs = [np.float32([[[0.5, -1.0, 2.0, 0.25]]]), np.float32([[[1.5, 0.0, -3.0, 4.0]]])]

        def network(x, arguments=arguments):
            given = {
                name: x if isinstance(value, str) else tf.constant(value) if isinstance(value, np.generic | np.ndarray) else value
                for name, value in arguments.items()
            }
            if "values" in given:
                given["values"] = [tf.constant(value) for value in given["values"]]
            made = plain(kind)(**given)
            numbers_made = raw.Reshape(tensor=raw.Cast(x=made, DstT=tf.float32), shape=numbers(1, -1, 1))
            return raw.AddV2(x=numbers_made, y=raw.Mul(x=x, y=tf.constant(0.5)))

        model, outputs = in_session(network, inputs[0].shape[1:], inputs)
        results.append(result(model.SerializeToString(), inputs, outputs, ops_in(model)))
    return results
