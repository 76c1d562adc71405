"""Evaluates expressions over today's runtimes for the tests of this folder: TensorFlow Lite Micro, LiteRT, Vela, ONNX
Runtime and Keras 3. answering.py says how they travel.
"""

import os

import answering

# Before the libraries, which print.
answers = answering.take_output()
# On NumPy, Keras compiles nothing but convolutions, which it leaves to JAX.
os.environ["KERAS_BACKEND"] = "numpy"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402, F401

import bundles  # noqa: E402, F401
import comparisons  # noqa: E402, F401
import devices  # noqa: E402, F401
import file_tensors  # noqa: E402, F401
import keras_models  # noqa: E402, F401
import onnx_networks  # noqa: E402, F401
import targets  # noqa: E402, F401

answering.answer_all(answers, globals())
