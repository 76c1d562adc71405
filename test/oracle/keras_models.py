"""Random Keras networks, in the formats that Keras writes. Runs with Keras 2.15 and with Keras 3."""

import json
import os
import tempfile

import numpy as np


def library():
    """Keras as this environment has it."""
    try:
        import tensorflow as tf

        return tf.keras
    except ImportError:
        import keras

        return keras


class Maker:
    """Draws layers until a network is done.

    Layers, functions and activations are dealt like cards: networks that are numbered from 0 on have every one of them
    after a few, and again in another order after as many more.
    """

    def __init__(self, keras, seed, number):
        self.keras = keras
        self.layers = keras.layers
        self.seed, self.number = seed, number
        self.random = np.random.default_rng([seed, number])
        self.version = int(keras.__version__.split(".")[0]) if hasattr(keras, "__version__") else 2
        self.activations = 2 * number

    def pick(self, *options):
        return options[self.random.integers(len(options))]

    def card(self, options, position):
        """Of a deck of all options, which is shuffled again when it is empty."""
        deck, at = divmod(position, len(options))
        return options[np.random.default_rng([self.seed, deck]).permutation(len(options))[at]]

    def activation(self):
        names = ["relu", "relu6", "sigmoid", "hard_sigmoid", "tanh", "linear", "softmax", "leaky_relu"]
        names += ["silu", "swish", "hard_silu", "hard_swish"] if self.version > 2 else ["swish"]
        if self.version == 2:
            names.remove("leaky_relu")
        self.activations += 1
        return names[self.activations % len(names)]

    def padding(self):
        return self.pick("same", "valid")

    def large(self, x):
        """With enough around it for something to be left when edges are cut off."""
        if len(x.shape) == 4:
            return x if min(x.shape[1:3]) >= 5 else self.layers.ZeroPadding2D(2)(x)
        return x if x.shape[1] >= 6 else self.layers.ZeroPadding1D(3)(x)

    def image_layer(self, x, position):
        layers, r = self.layers, self.random
        _, height, width, channels = x.shape
        small = min(height, width) < 5
        window = dict(padding="same" if small else self.padding(), use_bias=bool(r.integers(2)), activation=self.activation())
        strides = 1 if small else int(r.integers(1, 3))
        dilation = int(r.integers(1, 3)) if strides == 1 and not small else 1
        options = [
            lambda: layers.Conv2D(self.pick(4, 6), self.pick(1, 3, (3, 2)), strides=strides, dilation_rate=dilation, **window)(x),
            lambda: layers.Conv2D(channels * 2, 3, groups=channels, **window)(x),
            lambda: layers.DepthwiseConv2D(self.pick(1, 3), strides=strides, depth_multiplier=self.pick(1, 2), **window)(x),
            lambda: layers.SeparableConv2D(self.pick(4, 6), 3, depth_multiplier=self.pick(1, 2), **window)(x),
            lambda: layers.Conv2DTranspose(self.pick(3, 4), self.pick(2, 3), strides=self.pick(1, 2), **window)(x),
            lambda: layers.BatchNormalization(scale=bool(r.integers(2)), center=bool(r.integers(2)))(x),
            lambda: layers.Activation(self.activation())(x),
            lambda: layers.ReLU(max_value=self.pick(None, 6.0, 2.5), negative_slope=self.pick(0.0, 0.25))(x),
            lambda: layers.LeakyReLU(**{"negative_slope" if self.version > 2 else "alpha": 0.25})(x),
            lambda: layers.PReLU(alpha_initializer="random_uniform", shared_axes=self.pick(None, [1, 2]))(x),
            lambda: layers.Softmax()(x),
            lambda: layers.MaxPooling2D(2, strides=self.pick(None, 1, 2), padding=self.padding())(self.large(x)),
            lambda: layers.AveragePooling2D(2, strides=self.pick(None, 1, 2), padding=self.padding())(self.large(x)),
            lambda: layers.ZeroPadding2D(self.pick(1, (1, 2), ((0, 1), (2, 1))))(x),
            lambda: layers.Cropping2D(self.pick(1, (1, 0), ((0, 1), (1, 0))))(self.large(x)),
            lambda: layers.UpSampling2D(2, interpolation=self.pick("nearest", "bilinear"))(x),
            lambda: layers.Permute((2, 1, 3))(x),
            lambda: layers.Dropout(0.3)(x),
            lambda: layers.SpatialDropout2D(0.3)(x),
            lambda: layers.GaussianNoise(0.3)(x),
            lambda: layers.AlphaDropout(0.3)(x),
            lambda: layers.GaussianDropout(0.3)(x),
            lambda: layers.Rescaling(self.pick(0.5, 1 / 127.5), offset=self.pick(0.0, -1.0))(x),
            lambda: layers.Normalization(mean=list(r.normal(size=channels)), variance=list(r.uniform(0.5, 2, channels)))(x),
            lambda: self.join(x),
            lambda: self.functions(x),
            lambda: self.nested(x),
            lambda: layers.Identity()(x) if hasattr(layers, "Identity") else x,
            lambda: layers.ActivityRegularization(0.1)(x),
        ]
        return self.card(options, position)()

    def join(self, x):
        """Every kind of join, one after another."""
        layers = self.layers
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
            other = layers.Conv2D(x.shape[-1], 1, activation=self.activation())(x)
            values = [x, other, layers.Activation("tanh")(x)][: 2 if kind == "Subtract" else self.pick(2, 3)]
            x = getattr(layers, kind)()(values)
        return x

    def functions(self, x):
        """Every function in the place of a layer, in any order."""
        options = self.operations() if self.version > 2 else self.lambdas()
        for at in self.random.permutation(len(options)):
            x = options[at](x)
        return x

    def operations(self):
        """Of Keras 3."""
        ops = self.keras.ops
        return [
            lambda x: ops.add(x, ops.sigmoid(x)),
            lambda x: ops.multiply(x, 0.5),
            lambda x: 1.5 - x,
            lambda x: ops.maximum(-0.4, x),
            lambda x: x * self.random.normal(1, 0.2, x.shape[-1]).astype(np.float32),
            lambda x: ops.subtract(x, ops.tanh(x)),
            lambda x: ops.maximum(x, ops.relu(x)),
            lambda x: ops.minimum(x, ops.relu6(x)),
            lambda x: x / 2.0,
            lambda x: ops.divide(x, 0.7),
            lambda x: ops.concatenate([x, ops.silu(x)], axis=-1),
            lambda x: x + ops.softmax(x),
            lambda x: x - ops.hard_sigmoid(x),
            lambda x: x + ops.hard_silu(x),
            lambda x: ops.reshape(x, (-1, x.shape[2], x.shape[1], x.shape[3])),
            lambda x: x + ops.mean(x, axis=(1, 2), keepdims=True),
            lambda x: x + 0.1 * ops.sum(x, axis=(1, 2), keepdims=True),
        ]

    def lambdas(self):
        """Of TensorFlow, which Keras 2 makes layers of."""
        import tensorflow as tf

        return [
            lambda x: x + tf.math.sigmoid(x),
            lambda x: tf.math.add(x, 0.2),
            lambda x: x * 0.5,
            lambda x: x - tf.math.tanh(x),
            lambda x: tf.math.maximum(x, tf.nn.relu(x)),
            lambda x: tf.math.minimum(x, tf.nn.relu6(x)),
            lambda x: x / 2.0,
            lambda x: tf.math.divide(x, 0.7),
            lambda x: 1.5 - x,
            lambda x: tf.math.maximum(-0.4, x),
            lambda x: x * self.random.normal(1, 0.2, x.shape[-1]).astype(np.float32),
            lambda x: tf.concat([x, tf.nn.silu(x)], axis=-1),
            lambda x: x + tf.nn.softmax(x),
            lambda x: x - tf.keras.activations.relu(x),
            lambda x: tf.identity(x),
            lambda x: tf.reshape(x, (-1, x.shape[2], x.shape[1], x.shape[3])),
            lambda x: x + tf.math.reduce_mean(x, axis=[1, 2], keepdims=True),
            lambda x: x + 0.1 * tf.math.reduce_sum(x, axis=[1, 2], keepdims=True),
        ]

    def nested(self, x):
        """A network as a layer, called twice."""
        layers, channels = self.layers, x.shape[-1]
        if self.random.integers(2):
            inner = self.keras.Sequential(
                [self.keras.Input(x.shape[1:]), layers.Conv2D(channels, 3, padding="same"), layers.BatchNormalization()]
            )
        else:
            given = self.keras.Input(x.shape[1:])
            y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(given)
            inner = self.keras.Model(given, layers.Add()([given, y]))
        return inner(inner(x))

    def series_layer(self, x, position):
        layers, r = self.layers, self.random
        window = dict(use_bias=bool(r.integers(2)), activation=self.activation())
        small = x.shape[1] < 6
        options = [
            lambda: layers.Conv1D(self.pick(4, 6), 3, padding="same" if small else self.pick("same", "valid", "causal"), dilation_rate=1 if small else self.pick(1, 2), **window)(x),
            lambda: layers.DepthwiseConv1D(3, padding="same", depth_multiplier=self.pick(1, 2), **window)(x),
            lambda: layers.SeparableConv1D(self.pick(4, 6), 3, padding="same", **window)(x),
            lambda: layers.MaxPooling1D(2, padding=self.padding())(self.large(x)),
            lambda: layers.AveragePooling1D(2, strides=1, padding=self.padding())(self.large(x)),
            lambda: layers.BatchNormalization()(x),
            lambda: layers.ZeroPadding1D(self.pick(1, (0, 2)))(x),
            lambda: layers.Cropping1D(self.pick(1, (1, 0)))(self.large(x)),
            lambda: layers.UpSampling1D(2)(x),
            lambda: layers.Dense(self.pick(3, 5), **window)(x),
            lambda: layers.SpatialDropout1D(0.2)(x),
            lambda: layers.Rescaling(0.5, offset=0.25)(x),
        ]
        return self.card(options, position)()

    def image_network(self, turn):
        """Network `turn` of those that read images."""
        layers, r = self.layers, self.random
        given = self.keras.Input((int(r.integers(6, 10)), int(r.integers(6, 10)), int(r.integers(1, 4))))
        x = given
        for step in range(5):
            x = self.image_layer(x, 5 * turn + step)
        keepdims = bool(r.integers(2))
        ends = [
            lambda: layers.Flatten()(layers.GlobalAveragePooling2D(keepdims=keepdims)(x)),
            lambda: layers.Flatten()(layers.GlobalMaxPooling2D(keepdims=keepdims)(x)),
            lambda: layers.Flatten()(x),
            lambda: layers.Reshape((-1,))(x),
        ]
        return given, self.card(ends, turn)()

    def series_network(self, turn):
        layers, r = self.layers, self.random
        given = self.keras.Input((int(r.integers(8, 16)), int(r.integers(1, 4))))
        x = given
        for step in range(6):
            x = self.series_layer(x, 6 * turn + step)
        ends = [
            lambda: layers.GlobalAveragePooling1D()(x),
            lambda: layers.GlobalMaxPooling1D()(x),
            lambda: layers.Flatten()(x),
        ]
        return given, ends[turn % len(ends)]()

    def network(self):
        layers, r = self.layers, self.random
        # Two of three read images.
        turn, kind = divmod(self.number, 3)
        given, x = self.series_network(turn) if kind == 2 else self.image_network(2 * turn + kind)
        if self.number % 3 == 0:
            x = layers.Flatten()(layers.RepeatVector(2)(layers.Dense(3)(x)))
        shared = layers.Dense(5, activation=self.activation())
        x = shared(layers.Dense(5)(shared(layers.Dense(5)(x)))) if r.integers(2) else shared(x)
        x = layers.Dense(4, activation=self.activation())(x)
        outputs = [layers.Dense(3, activation="softmax")(x), layers.Dense(1)(x)][: 1 + r.integers(2)]
        return self.keras.Model(given, outputs)


def randomized(model, random):
    """Statistics of batch norm that are not those of the beginning."""
    weights = model.get_weights()
    for index, value in enumerate(weights):
        low = 0.5 if value.min() >= 0 and value.ndim == 1 else -0.5
        weights[index] = random.uniform(low, 1.0 if low > 0 else 0.5, value.shape).astype(value.dtype)
    model.set_weights(weights)


def layers_js(model, folder):
    """A network as the converter of TensorFlow.js writes it: model.json and a file of weights."""
    entries, data = [], b""
    for layer in flat(model):
        for variable in layer.weights:
            value = np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable, dtype=np.float32)
            name = variable.name.split(":")[0]
            entries.append({"name": name if "/" in name else f"{layer.name}/{name}", "shape": list(value.shape), "dtype": "float32"})
            data += value.tobytes()
    topology = {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": json.loads(model.to_json())}
    manifest = [{"paths": ["group1-shard1of1.bin"], "weights": entries}]
    with open(os.path.join(folder, "group1-shard1of1.bin"), "wb") as file:
        file.write(data)
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump({"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}, file)


def flat(model):
    """Layers and, of Keras 3, operations: those of networks in the network, too."""
    for layer in getattr(model, "operations", model.layers):
        if hasattr(layer, "layers"):
            yield from flat(layer)
        else:
            yield layer


def used_in(model):
    """Classes of layers, functions in their place as `functions/NAME`, and activations as `activations/NAME`."""
    used = set()
    for layer in flat(model):
        config = layer.get_config()
        if type(layer).__name__ == "TFOpLambda":
            used.add(f"functions/{config['function']}")
        elif ".ops." in type(layer).__module__:
            used.add(f"functions/{type(layer).__name__}")
        else:
            used.add(type(layer).__name__)
        if isinstance(config.get("activation"), str):
            used.add(f"activations/{config['activation']}")
    return sorted(used)


def random_keras(seed, number, kind):
    """A network's file, an example and its outputs. `kind` is h5, keras or tfjs."""
    keras = library()
    keras.backend.clear_session()
    keras.utils.set_random_seed(int(seed) * 1000 + int(number))
    maker = Maker(keras, int(seed), int(number))
    model = maker.network()
    randomized(model, maker.random)
    values = maker.random.uniform(-2, 2, (1, *model.inputs[0].shape[1:])).astype(np.float32)
    outputs = model(values, training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    with tempfile.TemporaryDirectory() as folder:
        if kind == "tfjs":
            layers_js(model, folder)
            names = ["model.json", "group1-shard1of1.bin"]
        else:
            names = [f"model.{kind}"]
            model.save(os.path.join(folder, names[0]))
        files = {}
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                files[name] = file.read()
    return {
        "files": files,
        "input": values,
        "outputs": [np.asarray(output, dtype=np.float32) for output in outputs],
        "used": used_in(model),
    }
