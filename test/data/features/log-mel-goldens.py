"""Writes log-mel-goldens.jsonl: what tf.signal of TensorFlow 2.15.1 gives in float64 for random options.

    .oracle/bin/python test/data/features/log-mel-goldens.py > test/data/features/log-mel-goldens.jsonl

Samples are a noise that the test makes again, as goldens.ts has it. Values are kept to six decimals.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "oracle"))
import sound  # noqa: E402


def noise(state, count):
    values = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append((state >> 16) - 32768)
    return np.array(values) / 32768


numbers = random.Random(20261127)
for case in range(24):
    rate = numbers.choice([8000, 11025, 16000, 44100])
    length = numbers.choice([1, 2, 31, 64, 255, 256, 400, numbers.randint(3, 300)])
    step = numbers.randint(1, 300)
    fft = numbers.choice([max(2, length), max(2, length) + 1, 512, length + numbers.randint(2, 100)])
    spectrum = numbers.choice(["power", "magnitude"])
    bands = numbers.choice([1, 4, 10, 16])
    lower, upper = numbers.choice([0.0, 20.0, 125.0]), numbers.choice([rate / 2, 3000.0])
    offset = numbers.choice([1e-6, 1e-3, 1.0])
    # Seeds that are multiples of 12 are full-scale noise.
    seed, count = 12 * numbers.randint(1, 10**5), length + step * numbers.randint(0, 2)
    mels, coefficients = sound.log_mel(
        noise(seed, count), rate, length, step, fft, spectrum, bands, lower, upper, offset, "float64"
    )
    print(json.dumps({
        "rate": rate, "seed": seed, "samples": count,
        "options": {
            "frameLength": length, "frameStep": step, "fftLength": fft, "spectrum": spectrum, "numMelBins": bands,
            "lowerEdgeHertz": lower, "upperEdgeHertz": upper, "logOffset": offset,
        },
        "mels": np.round(mels, 6).ravel().tolist(), "coefficients": np.round(coefficients, 6).ravel().tolist(),
    }))
