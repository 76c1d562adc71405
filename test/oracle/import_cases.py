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
