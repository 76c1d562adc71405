"""Models of 8-bit integers by the runtimes of devices: TensorFlow Lite Micro, and LiteRT with XNNPACK or without."""

import os
import tempfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro.python.tflite_micro import runtime as micro

# Far more than any network here takes; what is not touched costs nothing.
ARENA_BYTES = 1 << 28


def run_tflm(model, runs):
    """The outputs by TensorFlow Lite Micro, one list for each list of inputs; what it says when it refuses the model."""

    def run():
        interpreter = micro.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
        outputs = count_ports(interpreter.get_output_details)
        results = []
        for values in runs:
            for at, value in enumerate(values):
                interpreter.set_input(value, at)
            interpreter.invoke()
            results.append([np.copy(interpreter.get_output(at)) for at in range(outputs)])
        return results

    return heard(run)


def heard(run):
    """What it gives, or the words of its refusal: these libraries write their reasons to stderr, and throw without."""
    with tempfile.TemporaryFile() as words:
        kept = os.dup(2)
        os.dup2(words.fileno(), 2)
        try:
            return run()
        except (RuntimeError, ValueError) as error:
            words.seek(0)
            return f"{error}: {words.read().decode(errors='replace')}"
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def count_ports(details):
    count = 0
    while True:
        try:
            details(count)
        except (RuntimeError, ValueError, IndexError):
            return count
        count += 1


def run_litert(model, runs, kernels="AUTO"):
    """The same by LiteRT: AUTO is XNNPACK where it takes an op, BUILTIN_REF the reference kernels."""

    def run():
        interpreter = Interpreter(
            model_content=model, num_threads=1, experimental_op_resolver_type=OpResolverType[kernels]
        )
        interpreter.allocate_tensors()
        inputs = [detail["index"] for detail in interpreter.get_input_details()]
        outputs = [detail["index"] for detail in interpreter.get_output_details()]
        results = []
        for values in runs:
            for index, value in zip(inputs, values):
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            results.append([interpreter.get_tensor(index) for index in outputs])
        return results

    return heard(run)
