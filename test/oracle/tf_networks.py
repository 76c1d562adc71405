"""Random Keras networks as TensorFlow saves them: .tflite of floats, frozen graphs, SavedModels."""

import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

layers = tf.keras.layers


class Network:
    """Layers while they are added."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def chance(self, probability):
        return self.random.random() < probability

    def choose(self, *values):
        return values[self.random.integers(len(values))]

    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def activation(self, x):
        kind = self.choose("relu", "relu6", "leaky", "prelu", "hard_swish", "sigmoid", "tanh", "swish", "clip", "abs")
        if kind == "relu":
            return layers.ReLU()(x)
        if kind == "relu6":
            return layers.ReLU(6.0)(x)
        if kind == "leaky":
            return layers.LeakyReLU(0.2)(x)
        if kind == "prelu":
            shared = list(range(1, len(x.shape) - 1)) or None
            # Behind a rectifier it would do nothing, which the converter knows and writes with an op that few others need.
            return layers.PReLU("random_normal", shared_axes=shared)(x - 0.1)
        if kind == "hard_swish":
            return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)
        if kind == "clip":
            return tf.clip_by_value(x, -0.5, 0.7)
        if kind == "abs":
            return tf.abs(x)
        return layers.Activation(kind)(x)

    def normalization(self, x):
        return layers.BatchNormalization(
            center=self.chance(0.8), scale=self.chance(0.8), gamma_initializer="random_normal"
        )(x)

    def joined(self, x):
        """Two branches."""
        channels = x.shape[-1]
        make = layers.Conv2D if len(x.shape) == 4 else layers.Conv1D
        other = make(channels, 3, padding="same")(x)
        kind = self.choose(layers.Add, layers.Subtract, layers.Multiply, layers.Maximum, layers.Minimum, layers.Average)
        if self.chance(0.3):
            return layers.Concatenate()([x, other])
        return kind()([x, other])

    def image(self, x):
        size = min(x.shape[1], x.shape[2])
        padding = self.choose("same", "valid") if size >= 5 else "same"
        kind = self.size(0, 16)
        if kind <= 2:
            return layers.Conv2D(
                self.size(1, 6), self.choose(1, 3, (3, 1)), self.choose(1, 2), padding, use_bias=self.chance(0.7),
                activation=self.choose(None, "relu", "tanh"),
            )(x)
        if kind == 3:
            return layers.Conv2D(4, 3, padding="same", dilation_rate=self.choose(2, (1, 2)))(x)
        if kind == 4:
            return layers.DepthwiseConv2D(
                3, self.choose(1, 2), padding, depth_multiplier=self.choose(1, 2), use_bias=self.chance(0.7)
            )(x)
        if kind == 5:
            return layers.DepthwiseConv2D(3, padding=padding, dilation_rate=2 if size >= 5 else 1)(x)
        if kind == 6:
            return layers.SeparableConv2D(self.size(2, 5), 3, padding="same")(x)
        if kind == 7 and size <= 8:
            return layers.Conv2DTranspose(self.size(1, 4), self.choose(2, 3), 2, padding=self.choose("same", "valid"))(x)
        if kind == 8:
            return layers.MaxPool2D(2, self.choose(1, 2), padding="same")(x)
        if kind == 9:
            return layers.AveragePooling2D(2, self.choose(1, 2), padding=padding)(x)
        if kind == 10:
            x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
            return layers.Conv2D(3, 3, 2, "valid")(x) if self.chance(0.5) else x
        if kind == 11 and size >= 5:
            return layers.Cropping2D(((1, 0), (1, 1)))(x)
        if kind == 12 and size <= 8:
            return layers.UpSampling2D(2, interpolation=self.choose("nearest", "bilinear"))(x)
        if kind == 13:
            return layers.Dropout(0.3)(x)
        if kind == 14:
            return layers.Rescaling(0.5, offset=-0.25)(x)
        if kind == 15 and x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0:
            return tf.nn.space_to_depth(x, 2) if x.shape[-1] <= 4 else tf.nn.depth_to_space(x[..., :4], 2)
        return self.joined(x)

    def series(self, x):
        length = x.shape[1]
        kind = self.size(0, 6)
        if kind <= 1:
            return layers.Conv1D(self.size(2, 6), 3, self.choose(1, 2), self.choose("same", "causal"))(x)
        if kind == 2:
            return layers.Dense(self.size(2, 5), activation="relu")(x)
        if kind == 3 and length >= 4:
            return self.choose(layers.MaxPool1D, layers.AveragePooling1D)(2)(x)
        if kind == 4:
            return layers.SeparableConv1D(4, 3, padding="same")(x)
        if kind == 5:
            return layers.ZeroPadding1D(1)(x)
        return self.joined(x)

    def rows(self, x):
        kind = self.size(0, 4)
        if kind == 0:
            return self.normalization(layers.Dense(self.size(2, 8), use_bias=self.chance(0.5))(x))
        if kind == 1:
            return layers.Dense(self.size(2, 8), activation=self.choose(None, "relu", "sigmoid"))(x)
        if kind == 2:
            return layers.Dropout(0.5)(layers.Dense(4)(x))
        if kind == 3:
            return tf.concat([x, layers.Dense(3)(x)], -1)
        return self.activation(layers.Dense(5)(x))

    def pooled(self, x):
        """Rows of an image or a series."""
        global_layers = (
            (layers.GlobalAveragePooling2D, layers.GlobalMaxPool2D)
            if len(x.shape) == 4
            else (layers.GlobalAveragePooling1D, layers.GlobalMaxPool1D)
        )
        kind = self.size(0, 4)
        if kind <= 1:
            return global_layers[kind]()(x)
        if kind == 2:
            return tf.reduce_sum(x, list(range(1, len(x.shape) - 1)))
        if kind == 3:
            return tf.reshape(x, [tf.shape(x)[0], int(np.prod(x.shape[1:]))])
        return layers.Flatten()(layers.Permute(tuple(range(len(x.shape) - 1, 0, -1)))(x))

    def head(self, x):
        kind = self.size(0, 3)
        if kind == 0:
            return layers.Softmax()(layers.Dense(3)(x))
        if kind == 1:
            return tf.math.l2_normalize(layers.Dense(4)(x), -1)
        if kind == 2:
            return layers.Dense(2, activation="sigmoid", name="scores")(x)
        return layers.Dense(3)(x)

    def model(self):
        inputs = []
        if self.chance(0.25):
            shape = (self.size(8, 16), self.size(1, 4))
            body = self.series
        elif self.chance(0.15):
            shape = (self.size(4, 12),)
            body = self.rows
        else:
            shape = (self.size(6, 12), self.size(6, 12), self.size(1, 4))
            body = self.image
        x = layers.Input(shape)
        inputs.append(x)
        outputs = []
        for _ in range(self.size(1, 5)):
            x = body(x)
            if self.chance(0.4):
                x = self.normalization(x)
            if self.chance(0.4):
                x = self.activation(x)
        if len(shape) > 1:
            if self.chance(0.15):
                outputs.append(layers.Conv2D(2, 1)(x) if len(shape) == 3 else layers.Conv1D(2, 1)(x))
            x = self.pooled(x)
        if self.chance(0.2):
            other = layers.Input((3,))
            inputs.append(other)
            x = layers.Concatenate()([x, other])
        for _ in range(self.size(0, 2)):
            x = self.rows(x)
        outputs.append(self.head(x))
        model = tf.keras.Model(inputs, outputs)
        for variable in model.variables:
            value = variable.numpy()
            if "moving_variance" in variable.name:
                variable.assign(self.random.uniform(0.5, 2, value.shape).astype(np.float32))
            elif "moving_mean" in variable.name or "bias" in variable.name or "beta" in variable.name:
                variable.assign(self.random.normal(0, 0.3, value.shape).astype(np.float32))
            elif "gamma" in variable.name:
                variable.assign(self.random.uniform(0.5, 1.5, value.shape).astype(np.float32))
        return model


def concrete(model):
    signature = [tf.TensorSpec([None, *one.shape[1:]], tf.float32) for one in model.inputs]

    def run(*values):
        result = model(list(values), training=False)
        return [tf.identity(one) for one in result] if isinstance(result, (list, tuple)) else tf.identity(result)

    return tf.function(run).get_concrete_function(*signature)


def frozen(model):
    return convert_variables_to_constants_v2(concrete(model)).graph.as_graph_def().SerializeToString()


def files_in(folder):
    """Every file below a folder, by its path."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return {name: found[name] for name in found if name == "saved_model.pb" or name.startswith("variables/")}


def saved_by_keras(model, folder):
    model.save(folder, include_optimizer=False)


def saved_as_module(model, folder):
    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, folder, signatures=concrete(model))


def saved_by_v1(model, folder):
    """As TensorFlow 1 saves a session: variables of its own kinds, and the nodes that restore them."""
    frozen_graph = convert_variables_to_constants_v2(concrete(model)).graph.as_graph_def()
    v1 = tf.compat.v1
    weights = [node for node in frozen_graph.node if node.op == "Const" and node.name.endswith("/resource")]
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        variables = {}
        for index, node in enumerate(weights):
            value = tf.make_ndarray(node.attr["value"].tensor)
            name = node.name.replace("/ReadVariableOp/resource", "").replace("/", "_") + f"_{index}"
            variable = v1.get_variable(name, initializer=tf.constant(value), use_resource=index % 2 == 0)
            variables[node.name + ":0"] = tf.convert_to_tensor(variable)
        inputs = [node.name for node in frozen_graph.node if node.op == "Placeholder"]
        outputs = [node.name for node in frozen_graph.node if node.op == "Identity" and node.name.startswith("Identity")]
        tensors = tf.import_graph_def(
            frozen_graph,
            input_map=variables,
            return_elements=[name + ":0" for name in inputs + outputs],
            name="net",
        )
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(
            session,
            folder,
            {f"in_{index}": one for index, one in enumerate(tensors[: len(inputs)])},
            {f"out_{index}": one for index, one in enumerate(tensors[len(inputs) :])},
        )


savers = {"keras": saved_by_keras, "module": saved_as_module, "v1": saved_by_v1}


def saved(model, kind):
    folder = tempfile.mkdtemp()
    try:
        savers[kind](model, folder)
        return files_in(folder)
    finally:
        shutil.rmtree(folder)


def converted(model, half, as_users_do):
    """A .tflite file. As users do it, by way of a SavedModel, it takes ten times as long as of the frozen function."""
    function = concrete(model)
    if as_users_do:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    else:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)])
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def random_model(seed, index):
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(seed * 1000 + index)
    network = Network([seed, index])
    while True:
        try:
            return network, network.model()
        except ValueError:
            # A layer that is larger than its input.
            tf.keras.backend.clear_session()


def examples(network, model):
    """Two examples, each a list of inputs."""
    return [
        [network.random.normal(0, 1, [1, *one.shape[1:]]).astype(np.float32) for one in model.inputs] for _ in range(2)
    ]


def listed(result):
    return [one.numpy() for one in result] if isinstance(result, (list, tuple)) else [result.numpy()]


def ops_of(graph_def):
    functions = [node.op for function in graph_def.library.function for node in function.node_def]
    return sorted({node.op for node in graph_def.node} | set(functions))


def random_frozen(seed, index):
    network, model = random_model(seed, index)
    inputs = examples(network, model)
    outputs = [listed(model(list(values), training=False)) for values in inputs]
    graph = frozen(model)
    parsed = tf.compat.v1.GraphDef.FromString(graph)
    names = [node.name for node in parsed.node if node.op == "Placeholder"]
    return {"model": graph, "inputs": inputs, "outputs": outputs, "names": names, "ops": ops_of(parsed)}


def random_saved(seed, index, kind):
    network, model = random_model(seed, index)
    inputs = examples(network, model)
    files = saved(model, kind)
    outputs = [listed(model(list(values), training=False)) for values in inputs]
    return {"files": files, "inputs": inputs, "outputs": outputs}


def run_lite(model, values):
    """The outputs of a .tflite file of floats by TensorFlow Lite's reference kernels; `values` in the file's order."""
    interpreter = tf.lite.Interpreter(
        model_content=model,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(one["index"]).astype(np.float32) for one in interpreter.get_output_details()]


def random_tflite(seed, index, half):
    """Every tenth is converted as users do."""
    network, model = random_model(seed, index)
    inputs = examples(network, model)
    content = converted(model, half, as_users_do=index % 10 == 0)
    shapes = [tuple(one.shape) for one in inputs[0]]
    # Inputs in the order of the file; where two have one shape, in that of the model.
    order = []
    for detail in tf.lite.Interpreter(model_content=content).get_input_details():
        order.append(next(at for at, shape in enumerate(shapes) if shape == tuple(detail["shape"]) and at not in order))
    inputs = [[values[at] for at in order] for values in inputs]
    return {"model": content, "inputs": inputs, "outputs": [run_lite(content, values) for values in inputs]}


def tflite_outputs(path, images):
    """By TensorFlow Lite's own kernels, one image after the other."""
    interpreter = tf.lite.Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0])
    return np.stack(outputs)


def frozen_keras(path):
    return frozen(tf.keras.models.load_model(path, compile=False))


def saved_keras(path):
    return saved(tf.keras.models.load_model(path, compile=False), "keras")
