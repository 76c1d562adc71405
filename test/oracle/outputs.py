"""Models of several outputs."""

import tensorflow as tf


def signature(model):
    """The names of the outputs in the order of the file's, by the signature that TensorFlow Lite reads."""
    interpreter = tf.lite.Interpreter(model_content=model)
    runner = interpreter.get_signature_runner()
    names = {details["index"]: name for name, details in runner.get_output_details().items()}
    return [names[details["index"]] for details in interpreter.get_output_details()]
