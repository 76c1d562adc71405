"""Writes signal-tables-goldens.jsonl: window and filterbank as the signal library of TensorFlow Lite Micro has them.

    python test/data/features/signal-tables-goldens.py > test/data/features/signal-tables-goldens.jsonl

The formulas are those of python/tflite_micro/signal/ops (window_op.py, filter_bank_ops.py) of tensorflow/tflite-micro,
in NumPy, with log1pf from the C library: glibc before 2.41, which still has fdlibm's. Only digests are kept.
"""

import ctypes
import hashlib
import json
import random

import numpy as np

f32 = np.float32
libm = ctypes.CDLL("libm.so.6")
libm.log1pf.restype = ctypes.c_float
libm.log1pf.argtypes = [ctypes.c_float]


def mel(hertz):
    return float(f32(1127) * f32(libm.log1pf(float(f32(hertz) / f32(700)))))


def filterbank(bins, rate, channels, lower, upper):
    low, high = f32(mel(lower)), f32(mel(upper))
    centres = low + (high - low) / f32(channels + 1) * np.arange(1, channels + 2, dtype=f32)
    hertz = rate / 2 / (bins - 1)
    bin = round(1 + lower / hertz)
    starts, weights, unweights = [bin], [], []
    for centre, before in zip(centres, [low, *centres]):
        while mel(bin * hertz) <= centre:
            weight = f32(centre - f32(mel(bin * hertz))) / f32(centre - before)
            weights.append(int(weight * f32(4096)))
            unweights.append(int((f32(1) - weight) * f32(4096)))
            bin += 1
        starts.append(bin)
    return starts, weights, unweights


def digest(values):
    return hashlib.sha256(np.array(values, "<i2").tobytes()).hexdigest()[:32]


numbers = random.Random(20261127)
for _ in range(40):
    rate, size_ms = numbers.choice([8000, 11025, 16000, 16000, 44100]), numbers.choice([20, 25, 30, 32, 64])
    channels = numbers.choice([10, 32, 40, 64])
    lower = numbers.choice([0, 60, 125, 300.5])
    upper = round(numbers.uniform(0.5, 0.97) * rate / 2, 2)
    size = size_ms * rate // 1000
    window = np.round((0.5 - 0.5 * np.cos(np.pi * 2 / size * (np.arange(size) + 0.5))) * 4096)
    bins = 2 ** (size - 1).bit_length() // 2 + 1
    tables = [window, *filterbank(bins, rate, channels, lower, upper)]
    print(json.dumps({
        "rate": rate,
        "options": {"windowSize": size_ms, "numChannels": channels, "lowerBandLimit": lower, "upperBandLimit": upper},
        "digests": [digest(table) for table in tables],
    }))
