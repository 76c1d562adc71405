"""Answers requests of the tests of this folder.

A request is a line of JSON: {"expression": ..., "values": {name: value}}; the answer is {"result": ...} or
{"error": ...}. A tensor travels as {"dtype", "shape", "data"}, bytes as {"bytes"}, both in base64.
"""

import base64
import gc
import json
import os
import sys
import traceback

import numpy as np


def take_output():
    """Where answers go. Whatever else is printed goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def answer_all(answers, known):
    """Evaluates each request over what is known, until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            names = {**known, **decode(request["values"])}
            answer = {"result": encode(eval(request["expression"], names))}
        except Exception as error:  # The test shows it; the next request may be fine.
            answer = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def fresh():
    """Forgets what the tests of one file have built, before those of another."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.backend.clear_session()
    gc.collect()


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "dtype" in value:
        data = np.frombuffer(base64.b64decode(value["data"]), value["dtype"])
        return data.reshape(value["shape"])
    if "bytes" in value:
        return base64.b64decode(value["bytes"])
    return {key: decode(item) for key, item in value.items()}


def encode(value):
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        # Both are computed with, neither is compared in its own type.
        value = np.asarray(value)
        value = value.astype({"float64": "float32", "bool": "uint8", "int16": "int32"}.get(value.dtype.name, value.dtype))
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.name, "shape": value.shape, "data": data}
    return value
