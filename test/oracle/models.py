"""Small models that TensorFlow's converter quantizes after training: every op that our table reads, alone or among others."""

import numpy as np
import tensorflow as tf

functions = {}


def model(*shapes):
    """Registers a function of (random, *inputs) that takes inputs of these shapes."""

    def register(function):
        functions[function.__name__] = (function, shapes)
        return function

    return register


def weights(random, *shape):
    return tf.constant(random.normal(0, 0.5, shape).astype(np.float32))


@model((1, 9, 8, 3))
def convolution(random, x):
    x = tf.nn.relu(tf.nn.conv2d(x, weights(random, 3, 3, 3, 5), 1, "SAME") + weights(random, 5))
    x = tf.nn.conv2d(x, weights(random, 2, 3, 5, 4), [2, 1], "VALID") + weights(random, 4)
    return tf.nn.relu6(tf.nn.conv2d(x, weights(random, 3, 3, 4, 2), 1, "VALID", dilations=[1, 2]) + weights(random, 2))


@model((1, 8, 7, 4))
def depthwise(random, x):
    x = tf.nn.depthwise_conv2d(x, weights(random, 3, 3, 4, 1), [1, 1, 1, 1], "SAME") + weights(random, 4)
    x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, weights(random, 3, 2, 4, 2), [1, 2, 2, 1], "VALID") + weights(random, 8))
    return tf.nn.conv2d(x, weights(random, 1, 1, 8, 3), 1, "VALID") + weights(random, 3)


@model((1, 4, 5, 3))
def transposed_convolution(random, x):
    return tf.nn.conv2d_transpose(x, weights(random, 3, 3, 2, 3), [1, 8, 10, 2], 2, "SAME") + weights(random, 2)


@model((1, 4, 3, 2))
def transposed_convolution_valid(random, x):
    return tf.nn.conv2d_transpose(x, weights(random, 3, 2, 4, 2), [1, 6, 8, 4], [1, 3], "VALID")


@model((1, 20))
def dense(random, x):
    x = tf.nn.relu(x @ weights(random, 20, 12) + weights(random, 12))
    return tf.nn.softmax(x @ weights(random, 12, 7) + weights(random, 7))


@model((4, 11))
def dense_rows(random, x):
    return x @ weights(random, 11, 6)


@model((1, 7, 7, 3))
def pools(random, x):
    pooled = tf.nn.avg_pool2d(x, 3, 2, "SAME")
    return tf.nn.max_pool2d(pooled, 2, 1, "VALID")


@model((1, 6, 5, 4))
def global_mean(random, x):
    return tf.reduce_mean(x, [1, 2])


@model((1, 6, 5, 4))
def kept_mean(random, x):
    return tf.reduce_mean(x, [1, 2], keepdims=True) * 1.5


@model((2, 3, 4))
def total(random, x):
    return tf.reduce_sum(x, [1])


@model((1, 5, 6, 3), (1, 5, 6, 3))
def sums(random, x, y):
    return tf.nn.relu(x + y)


@model((1, 5, 6, 3), (1, 1, 1, 3))
def sums_broadcast(random, x, y):
    return x + y


@model((1, 5, 6, 3), (1, 5, 6, 3))
def differences(random, x, y):
    return x - y


@model((1, 5, 6, 3), (1, 5, 6, 3))
def products(random, x, y):
    return tf.nn.relu6(x * y)


@model((1, 5, 6, 3), (1, 1, 6, 1))
def products_broadcast(random, x, y):
    return x * y


@model((2, 40))
def rectified(random, x):
    return tf.nn.relu(x)


@model((2, 40))
def rectified_at_six(random, x):
    return tf.nn.relu6(x)


@model((2, 40))
def leaky(random, x):
    return tf.nn.leaky_relu(x, 0.15)


@model((2, 60))
def sigmoid(random, x):
    return tf.sigmoid(x * 3.0)


@model((2, 60))
def hyperbolic_tangent(random, x):
    return tf.tanh(x)


@model((1, 4, 5, 6))
def hard_swish(random, x):
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


@model((3, 17))
def unit_length(random, x):
    return tf.math.l2_normalize(x, -1)


@model((5, 11))
def classes(random, x):
    return tf.nn.softmax(x * 2.0)


@model((1, 5, 4, 3))
def padded(random, x):
    return tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])


@model((1, 4, 5, 2), (1, 4, 5, 3))
def joined(random, x, y):
    return tf.concat([x, y], 3)


@model((1, 6, 4))
def transposed(random, x):
    return tf.transpose(x, [2, 0, 1])


@model((2, 6, 1, 3))
def squeezed(random, x):
    return tf.squeeze(x, [2])


@model((2, 6, 3))
def reshaped(random, x):
    return tf.reshape(x, [4, 9])


@model((2, 7, 9))
def sliced(random, x):
    return x[:, 1:6:2, ::3]


@model((2, 7, 9))
def sliced_backwards(random, x):
    return x[1, 5:1:-1]


@model((1, 4, 6))
def parts(random, x):
    first, second, third = tf.split(x, 3, 2)
    return tf.nn.relu(first) + second, third


@model((1, 4, 5, 2))
def bilinear(random, x):
    return tf.compat.v1.image.resize_bilinear(x, [7, 9])


@model((1, 4, 5, 2))
def bilinear_half_pixel(random, x):
    return tf.image.resize(x, [8, 3])


@model((1, 4, 5, 2))
def bilinear_aligned(random, x):
    return tf.compat.v1.image.resize_bilinear(x, [7, 9], align_corners=True)


@model((1, 4, 5, 2))
def nearest(random, x):
    return tf.compat.v1.image.resize_nearest_neighbor(x, [7, 9])


@model((1, 4, 5, 2))
def nearest_half_pixel(random, x):
    return tf.image.resize(x, [8, 3], method="nearest")


@model((1, 12, 12, 3))
def residual_network(random, x):
    x = tf.nn.relu(tf.nn.conv2d(x, weights(random, 3, 3, 3, 8), 1, "SAME") + weights(random, 8))
    y = tf.nn.relu(tf.nn.conv2d(x, weights(random, 3, 3, 8, 8) / 4, 1, "SAME") + weights(random, 8))
    y = tf.nn.conv2d(y, weights(random, 3, 3, 8, 8) / 4, 1, "SAME") + weights(random, 8)
    x = tf.nn.max_pool2d(tf.nn.relu(x + y), 2, 2, "VALID")
    x = tf.reshape(tf.nn.avg_pool2d(x, 6, 6, "VALID"), [1, 8])
    return tf.nn.softmax(x @ weights(random, 8, 5) + weights(random, 5))


@model((2, 9))
def largest_index(random, x):
    return tf.argmax(x, -1, tf.int32), tf.nn.relu(x)


@model((2, 9))
def largest_index_of_64_bits(random, x):
    return tf.argmax(x, -1), tf.nn.relu(x)


@model((2, 9))
def smallest_index(random, x):
    return tf.argmin(x, -1, tf.int32), tf.nn.relu(x)


@model((3, 8), (3, 8))
def smaller_and_larger(random, x, y):
    return tf.minimum(x, y), tf.maximum(x, y)


@model((2, 7, 9))
def block(random, x):
    return tf.slice(x, [0, 2, 3], [2, -1, 4])


@model((3, 10))
def log_probabilities(random, x):
    return tf.nn.log_softmax(x)


@model((1, 4, 5, 3))
def magnitudes(random, x):
    return tf.abs(x)


@model((3, 5))
def another_axis(random, x):
    return tf.expand_dims(x, 1)


@model((3, 1, 5))
def broadcast(random, x):
    return tf.broadcast_to(x, [2, 3, 4, 5])


@model((3, 6))
def gathered(random, x):
    return tf.gather(x, [5, 0, 0], axis=1)


@model((3, 6))
def unpacked_and_packed(random, x):
    first, second, third = tf.unstack(x)
    return tf.stack([second, first, third], 1)


@model((1, 5, 4, 2))
def mirrored(random, x):
    return tf.pad(x, [[0, 0], [2, 1], [0, 3], [0, 0]], "REFLECT"), tf.pad(x, [[0, 0], [5, 1], [0, 4], [0, 0]], "SYMMETRIC")


@model((1, 4, 6, 4))
def blocks(random, x):
    return tf.nn.space_to_depth(x, 2)


@model((1, 5, 6, 3))
def images_of_blocks(random, x):
    blocks = tf.space_to_batch(x, [2, 3], [[1, 2], [0, 3]])
    return blocks, tf.batch_to_space(tf.nn.relu(blocks), [3, 2], [[1, 0], [0, 1]])


@model((1, 9, 8, 3))
def dilated_as_before_dilations(random, x):
    """What tf.nn.atrous_conv2d became in frozen graphs, with a filter that is not square."""
    blocks = tf.space_to_batch(x, [2, 2], [[2, 3], [2, 2]])
    blocks = tf.nn.conv2d(blocks, weights(random, 3, 2, 3, 4), 1, "VALID") + weights(random, 4)
    return tf.batch_to_space(blocks, [2, 2], [[0, 1], [0, 1]])


@model((1, 5, 6, 3))
def extremes(random, x):
    return tf.reduce_max(x, [1, 2]), tf.reduce_min(x, [2], keepdims=True)


layers = tf.keras.layers


def ending(*middle):
    """A Keras network with a dynamic batch, as users export it: an image, these layers, classes."""
    return lambda: tf.keras.Sequential([layers.InputLayer((8, 8, 3)), *middle, layers.Flatten(), layers.Dense(4, "softmax")])


def prelu(**options):
    # Slopes of zero, as they begin, would test half of the op.
    return layers.PReLU(alpha_initializer=tf.keras.initializers.RandomUniform(-0.5, 0.5), **options)


def functional():
    image = layers.Input((8, 8, 4))
    first, second = tf.split(layers.Conv2D(6, 3, padding="same")(image), 2, axis=-1)
    joined = layers.Concatenate()([first, layers.Multiply()([first, second]), layers.Maximum()([first, second])])
    stacked = tf.stack([joined, joined * 0.5], axis=1)
    return tf.keras.Model(image, layers.Dense(3)(layers.Reshape((-1,))(stacked)))


keras_networks = {
    "keras_flatten": ending(layers.Conv2D(4, 3, activation="relu")),
    "keras_reshape": ending(layers.Conv2D(4, 3), layers.Reshape((12, 12))),
    "keras_transpose_conv": ending(layers.Conv2DTranspose(4, 3, 2, padding="same"), layers.Conv2DTranspose(2, 2)),
    "keras_up_sampling": ending(layers.UpSampling2D(2), layers.UpSampling2D(2, interpolation="bilinear")),
    "keras_prelu": ending(layers.Conv2D(4, 3), prelu(shared_axes=[1, 2]), prelu()),
    "keras_relu6": ending(layers.Conv2D(4, 3), layers.ReLU(6.0)),
    "keras_leaky_relu": ending(layers.Conv2D(4, 3), layers.LeakyReLU(0.2)),
    "keras_softmax": ending(layers.Conv2D(4, 3), layers.Softmax(-1)),
    "keras_global_max": lambda: tf.keras.Sequential(
        [layers.InputLayer((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalMaxPooling2D(), layers.Dense(3)]
    ),
    "keras_separable": ending(layers.SeparableConv2D(6, 3, padding="same"), layers.BatchNormalization()),
    "keras_zero_padding": ending(layers.ZeroPadding2D(2), layers.Cropping2D(1), layers.MaxPooling2D()),
    "keras_permute": ending(layers.Permute((3, 1, 2)), layers.AveragePooling2D(1)),
    "keras_conv_1d": lambda: tf.keras.Sequential(
        [layers.InputLayer((20, 3)), layers.Conv1D(4, 3, activation="relu"), layers.MaxPooling1D(), layers.Flatten(), layers.Dense(3)]
    ),
    "keras_dense_rows": lambda: tf.keras.Sequential([layers.InputLayer((6, 5)), layers.Dense(4, "relu"), layers.Dense(3)]),
    "keras_dense_pixels": ending(layers.Dense(4), layers.Dense(2, use_bias=False)),
    "keras_dilated": ending(layers.Conv2D(4, 3, dilation_rate=2), layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)),
    "keras_dilated_1d": lambda: tf.keras.Sequential(
        [layers.InputLayer((20, 3)), layers.Conv1D(4, 3, dilation_rate=2, padding="causal"), layers.Conv1D(2, 3, dilation_rate=3), layers.Flatten(), layers.Dense(3)]
    ),
    "keras_functional": functional,
}


def keras_network(seed):
    """A network as Keras users write it, converted by from_keras_model."""
    tf.keras.utils.set_random_seed(seed)
    return tf.keras.Sequential(
        [
            layers.InputLayer((12, 12, 1), batch_size=1),
            layers.Conv2D(6, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(8, 1),
            layers.LeakyReLU(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


names = [*functions, "keras_network", *keras_networks]


def convert(name, seed, edges):
    """The bytes of a model: integers whose inputs and outputs are `edges`, or one that keeps floats.

    `float` has no integers at all, `dynamic` has int8 weights only, `int16` has values of 16 bits.
    """
    random = np.random.RandomState(seed)
    if name == "keras_network":
        shapes = ((1, 12, 12, 1),)
        converter = tf.lite.TFLiteConverter.from_keras_model(keras_network(seed))
    elif name in keras_networks:
        tf.keras.utils.set_random_seed(seed)
        network = keras_networks[name]()
        shapes = ((1, *network.input_shape[1:]),)
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
    else:
        function, shapes = functions[name]
        graph = tf.function(lambda *inputs: function(random, *inputs)).get_concrete_function(
            *(tf.TensorSpec(shape, tf.float32) for shape in shapes)
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    samples = [[random.normal(0.2, 1.5, shape).astype(np.float32) for shape in shapes] for _ in range(8)]
    if edges == "float":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if edges == "dynamic":
        return converter.convert()
    converter.representative_dataset = lambda: iter(samples)
    if edges == "int16":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]
    else:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(edges)
    return converter.convert()


# What TensorFlow 2.15.1 does not convert to 16 bits, refuses to run in them, aborts on, or, for a sum, wraps around.
without_int16 = {
    *("hard_swish", "unit_length", "log_probabilities", "blocks"),
    *("total", "largest_index", "largest_index_of_64_bits", "smallest_index"),
    *("keras_dense_rows", "keras_dense_pixels", "keras_dilated", "keras_dilated_1d"),
}
