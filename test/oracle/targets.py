"""What the runtimes and the compiler of each target say of a model."""

import contextlib
import os
import re
import sys
import tempfile

import numpy as np


@contextlib.contextmanager
def printed():
    """Gives a function for all that was printed, by C++ as well: file descriptors are replaced, not Python's streams."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

        def text():
            sys.stdout.flush()
            sys.stderr.flush()
            file.seek(0)
            return file.read().decode("utf8", "replace")

        try:
            yield text
        finally:
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


# The wheel's default, ten times the file, is too small for a small file with large activations.
TFLM_ARENA = 16 << 20


def tflm(model):
    """Loads a model into TensorFlow Lite Micro and runs it once.

    Gives {"error"} with what it printed, or {"head", "tail"} in bytes as its allocator reports them.
    """
    from tflite_micro import runtime

    with printed() as text:
        try:
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=TFLM_ARENA)
            interpreter.invoke()
        except Exception as error:
            return {"error": f"{text().strip()} {error}"}
        interpreter.print_allocations()
        report = text()
    return {part: int(re.search(rf"Arena allocation {part} (\d+) bytes", report)[1]) for part in ("head", "tail")}


def litert(model):
    """Loads a model into LiteRT with its default kernels (XNNPACK where it takes an op) and runs it once on zeros.

    Gives null, or what it said.
    """
    from ai_edge_litert.interpreter import Interpreter

    with printed() as text:
        try:
            interpreter = Interpreter(model_content=model)
            interpreter.allocate_tensors()
            for port in interpreter.get_input_details():
                interpreter.set_tensor(port["index"], np.zeros(port["shape"], port["dtype"]))
            interpreter.invoke()
        except Exception as error:
            return f"{text().strip()} {error}"
    return None


def vela(model):
    """Compiles a model for the Ethos-U55 with 128 multipliers by Arm's compiler.

    Gives {"cpu": names of the operators that stay on the CPU, "log": what it printed}, or {"error"}.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ethosu.vela import vela as compiler

    with tempfile.TemporaryDirectory() as folder, printed() as text:
        path = os.path.join(folder, "model.tflite")
        with open(path, "wb") as file:
            file.write(model)
        try:
            compiler.main([path, "--output-dir", folder, "--accelerator-config", "ethos-u55-128"])
        except (Exception, SystemExit) as error:
            return {"error": f"{text().strip()} {error}"}
        with open(os.path.join(folder, "model_vela.tflite"), "rb") as file:
            compiled = schema.ModelT.InitFromPackedBuf(file.read(), 0)
        log = text()
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in compiled.operatorCodes]
    customs = [code.customCode for code in compiled.operatorCodes]
    operators = [operator.opcodeIndex for operator in compiled.subgraphs[0].operators or []]
    return {"cpu": [names[codes[at]] for at in operators if customs[at] != b"ethos-u"], "log": log}


def litert_codes(model, inputs):
    """The codes of the first output by LiteRT with its default kernels, [examples, ...], for codes of the input."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=bytes(model))
    interpreter.allocate_tensors()
    (port,), output = interpreter.get_input_details(), interpreter.get_output_details()[0]
    found = []
    for each in inputs:
        interpreter.set_tensor(port["index"], each.reshape(port["shape"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(output["index"])[0])
    return np.stack(found)


def tflm_codes(model, inputs):
    """The same by TensorFlow Lite Micro."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(bytes(model), arena_size=TFLM_ARENA)
    shape = interpreter.get_input_details(0)["shape"]
    found = []
    for each in inputs:
        interpreter.set_input(each.reshape(shape), 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0)[0])
    return np.stack(found)
