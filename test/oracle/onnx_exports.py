"""ONNX files of a Keras model: by tf2onnx, and with channels first as PyTorch's exporter writes them."""

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto, helper, numpy_helper


def keras_model(path):
    return tf.keras.models.load_model(path, compile=False)


def keras_outputs(path, images):
    return keras_model(path).predict(images, batch_size=100, verbose=0)


def by_tf2onnx(path, opset):
    model = keras_model(path)
    shape = (None, *model.input_shape[1:])
    signature = (tf.TensorSpec(shape, tf.float32, name="input"),)
    return tf2onnx.convert.from_keras(model, input_signature=signature, opset=opset)[0].SerializeToString()


def channels_first(path, opset):
    """The layers of a model one by one. `same` padding is spelled out for images whose size a stride divides."""
    nodes, weights = [], []

    def constant(name, values):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], f"/{output}/{kind}", **attributes))

    def activation(layer, value, output):
        kind = {"relu": "Relu", "softmax": "Softmax"}[layer.activation.__name__]
        node(kind, [value], output)

    def add(layer, inputs):
        name, kind = layer.name, type(layer).__name__
        if kind in ("Conv2D", "Dense"):
            own = name if layer.activation.__name__ == "linear" else name + "_linear"
            if kind == "Dense":
                node("Gemm", [*inputs, constant(name + ".weight", layer.kernel.numpy().T), constant(name + ".bias", layer.bias.numpy())], own, transB=1)
            else:
                kernel, strides = layer.kernel_size, layer.strides
                total = [max(0, k - s) for k, s in zip(kernel, strides)]
                pads = [each // 2 for each in total] + [each - each // 2 for each in total]
                filters = [constant(name + ".weight", layer.kernel.numpy().transpose(3, 2, 0, 1)), constant(name + ".bias", layer.bias.numpy())]
                node("Conv", [*inputs, *filters], own, kernel_shape=kernel, strides=strides, pads=pads)
            if own != name:
                activation(layer, own, name)
        elif kind == "BatchNormalization":
            parts = ("gamma", "beta", "moving_mean", "moving_variance")
            values = [constant(f"{name}.{part}", getattr(layer, part).numpy()) for part in parts]
            node("BatchNormalization", [*inputs, *values], name, epsilon=layer.epsilon)
        elif kind == "Activation":
            activation(layer, inputs[0], name)
        elif kind == "Add":
            node("Add", inputs, name)
        elif kind == "AveragePooling2D":
            node("AveragePool", inputs, name, kernel_shape=layer.pool_size, strides=layer.strides)
        elif kind == "Flatten":
            node("Flatten", inputs, name)
        else:
            raise ValueError(kind)

    model = keras_model(path)
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        sources = layer.input if isinstance(layer.input, list) else [layer.input]
        names = [source.node.layer.name for source in sources]
        add(layer, ["input" if type(source.node.layer).__name__ == "InputLayer" else name for source, name in zip(sources, names)])
    height, width, channels = model.input_shape[1:]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", channels, height, width])],
        [helper.make_tensor_value_info(model.layers[-1].name, TensorProto.FLOAT, ["batch", model.output_shape[-1]])],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()
