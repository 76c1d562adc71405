"""What the runtimes and the compiler of each target say of a model."""

import contextlib
import os
import re
import sys
import tempfile


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
