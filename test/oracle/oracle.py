"""Evaluates expressions over TensorFlow for the tests of this folder.

answering.py says how they travel.
"""

import os
import sys
import tempfile

import answering

# Before the libraries, which print.
answers = answering.take_output()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import logging  # noqa: E402
import warnings  # noqa: E402

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.lite.python.convert import mlir_sparsify  # noqa: E402
from tensorflow.lite.tools import flatbuffer_utils  # noqa: E402

import archives  # noqa: E402, F401
import calibration  # noqa: E402, F401
import import_cases  # noqa: E402, F401
import keras_models  # noqa: E402, F401
import models  # noqa: E402
import onnx_exports  # noqa: E402, F401
import outputs  # noqa: E402, F401
import report_numbers  # noqa: E402, F401
import report_regression  # noqa: E402, F401
import report_training  # noqa: E402, F401
import sound  # noqa: E402, F401
import tf_networks  # noqa: E402, F401
import training  # noqa: E402, F401

v1 = tf.compat.v1


def run_tflite(model, runs, kernels="BUILTIN_REF"):
    """The outputs of a model by TensorFlow Lite, one list for each list of inputs; None when an op refuses it."""
    interpreter = tf.lite.Interpreter(
        model_content=model,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType[kernels],
    )
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return None
    inputs = [(detail["index"], detail["dtype"]) for detail in interpreter.get_input_details()]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    results = []
    for values in runs:
        for (index, dtype), value in zip(inputs, values):
            # The tests hold 16 bits in 32.
            interpreter.set_tensor(index, value.astype(dtype) if dtype is np.int16 else value)
        interpreter.invoke()
        results.append([interpreter.get_tensor(index) for index in outputs])
    return results


def versions_by_converter(model):
    """The versions that TensorFlow's converter gives the ops of a model, and the runtime that it names for them.

    The model is given without what it says of these itself, and goes through the converter's reader and writer.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    for code in model.operatorCodes:
        code.version = 1
    model.metadata = []
    stripped = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    written = flatbuffer_utils.convert_bytearray_to_object(bytearray(mlir_sparsify(stripped)))
    codes = {max(code.builtinCode, code.deprecatedBuiltinCode): code.version for code in written.operatorCodes}
    runtime = next(entry.buffer for entry in written.metadata if entry.name == b"min_runtime_version")
    text = bytes(written.buffers[runtime].data).rstrip(b"\0").decode()
    return {"versions": [[code, version] for code, version in codes.items()], "runtime": text}


def metadata_of(model):
    """The entries of a model's table of metadata, by TensorFlow's own reader."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    return {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in model.metadata}


def in_graph(graph, variables, fetch, feeds):
    """Imports a GraphDef into a session of its own, assigns its variables, and runs what `fetch` chooses of it."""
    # Fusing nodes would change what is compared, and crashes on a depthwise convolution with explicit padding.
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with v1.Graph().as_default() as loaded, v1.Session(graph=loaded, config=config) as session:
        v1.import_graph_def(v1.GraphDef.FromString(graph), name="")
        assignments = [
            tf.raw_ops.AssignVariableOp(resource=loaded.get_tensor_by_name(f"{name}:0"), value=value)
            for name, value in variables.items()
        ]
        session.run(assignments)
        return session.run(fetch(loaded), {f"{name}:0": value for name, value in feeds.items()})


def run_graph(graph, variables, feeds, outputs):
    return in_graph(graph, variables, lambda loaded: [loaded.get_tensor_by_name(f"{name}:0") for name in outputs], feeds)


def graph_gradients(graph, feeds, output, upstream, of):
    """Zeros stand for a gradient that does not exist."""

    def fetch(loaded):
        tensors = [loaded.get_tensor_by_name(f"{name}:0") for name in of]
        value = loaded.get_tensor_by_name(f"{output}:0")
        return v1.gradients(value, tensors, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return in_graph(graph, {}, fetch, feeds)


def convert_frozen(graph, inputs, output, shape, stats, scheme):
    """An integer model of a frozen graph with FakeQuant nodes. `stats` is the (mean, std) of the input's codes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "frozen.pb")
        with open(path, "wb") as file:
            file.write(graph)
        converter = v1.lite.TFLiteConverter.from_frozen_graph(path, [inputs], [output], {inputs: shape})
    dtype = {"int8": tf.int8, "uint8": tf.uint8}[scheme]
    converter.inference_type = dtype
    converter.inference_input_type = dtype
    converter.quantized_input_stats = {inputs: tuple(stats)}
    return converter.convert()


def gradient_of(function, value):
    value = tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value)


def with_gradients(function, upstream, arguments):
    """The value and its gradients for the arguments; None stands for zeros."""
    arguments = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        result = function(*arguments)
    gradients = tape.gradient(result, arguments, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [result, *gradients]


def depthwise_by_taps(x, taps, strides, dilations, padding):
    """A depthwise convolution as a sum of shifted products; `taps` is [height, width, channels, multiplier]."""
    sizes, pads = [], []
    for size, window, stride, dilation in zip(x.shape[1:3], taps.shape[:2], strides, dilations):
        reach = (window - 1) * dilation + 1
        output = -(-size // stride) if padding == "same" else (size - reach) // stride + 1
        total = max((output - 1) * stride + reach - size, 0)
        sizes.append(output)
        pads.append([total // 2, total - total // 2])
    x = tf.pad(x, [[0, 0], *pads, [0, 0]])
    total = 0.0
    for row in range(taps.shape[0]):
        for column in range(taps.shape[1]):
            starts = row * dilations[0], column * dilations[1]
            ends = [start + (size - 1) * stride + 1 for start, size, stride in zip(starts, sizes, strides)]
            seen = x[:, starts[0] : ends[0] : strides[0], starts[1] : ends[1] : strides[1]]
            total += seen[..., tf.newaxis] * taps[row, column]
    return tf.reshape(total, [*total.shape[:3], -1])


def fold_correction(folded, unfolded, gamma, beta, moving_mean, moving_variance, upstream, frozen, epsilon):
    """The output of a layer with folded weights, corrected, and its gradients; then the statistics that were used."""
    used = []

    def correct(folded, unfolded, gamma, beta):
        batch = tf.nn.moments(unfolded, list(range(unfolded.shape.rank - 1)))
        used.extend([moving_mean, moving_variance] if frozen else batch)
        mean, variance = used
        sigma = tf.sqrt(variance + epsilon)
        return folded * tf.sqrt(moving_variance + epsilon) / sigma + beta - gamma * mean / sigma

    return with_gradients(correct, upstream, [folded, unfolded, gamma, beta]) + used


def running_extremes(values, decay, end):
    wider = tf.maximum if end == "max" else tf.minimum
    extreme, results = tf.constant(0.0), []
    for value in values:
        extreme = wider(tf.convert_to_tensor(value), extreme * decay)
        results.append(extreme)
    return results


def apply_momentum(parameter, velocity, gradient, rate, momentum, nesterov):
    variables = [tf.Variable(parameter), tf.Variable(velocity)]
    tf.raw_ops.ResourceApplyMomentum(
        var=variables[0].handle, accum=variables[1].handle, lr=rate, grad=gradient, momentum=momentum,
        use_nesterov=nesterov,
    )
    return variables_of(variables)


def apply_adam(parameter, first, second, gradient, rate, count, beta1, beta2, epsilon):
    """`count` is 1 at the first step."""
    variables = [tf.Variable(parameter), tf.Variable(first), tf.Variable(second)]
    tf.raw_ops.ResourceApplyAdam(
        var=variables[0].handle, m=variables[1].handle, v=variables[2].handle, grad=gradient, lr=rate, beta1=beta1,
        beta2=beta2, epsilon=epsilon, beta1_power=np.float32(beta1) ** np.float32(count),
        beta2_power=np.float32(beta2) ** np.float32(count),
    )
    return variables_of(variables)


def variables_of(variables):
    return [variable.read_value() for variable in variables]


def moving_averages(values, decay, initial, zero_debias):
    """The average after each of the values, as tf.contrib.quantize keeps it."""
    from tensorflow.python.training import moving_averages as library

    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        with v1.variable_scope("", use_resource=True):
            average = v1.get_variable("average", initializer=tf.constant(initial))
            value = v1.placeholder(tf.float32, average.shape)
            update = library.assign_moving_average(average, value, decay, zero_debias=zero_debias)
        session.run(v1.global_variables_initializer())
        return [session.run(update, {value: item}) for item in values]


answering.answer_all(answers, globals())
