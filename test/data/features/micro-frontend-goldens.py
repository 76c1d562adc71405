"""Writes micro-frontend-goldens.jsonl: what the C++ of TensorFlow Lite Micro's front end gives for random options.

    pip download --no-deps --no-binary :all: pymicro-features==2.0.2 && tar xf pymicro_features-2.0.2.tar.gz
    python micro-frontend-goldens.py pymicro_features-2.0.2 300 > micro-frontend-goldens.jsonl

pymicro-features (Apache-2.0) carries the library and kissfft. This compiles them as they are, with a C++ compiler, and
sets options that the package itself leaves fixed. Only digests and first frames are kept. Needs no other package.
"""

import ctypes
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

WRAPPER = r"""
#include <stdint.h>
#include <string.h>
extern "C" {
#include "tensorflow/lite/experimental/microfrontend/lib/frontend.h"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend_util.h"
}
extern "C" int run(int rate, const double* o, const int16_t* samples, int count, uint16_t* out) {
  FrontendConfig c;
  memset(&c, 0, sizeof c);
  c.window.size_ms = o[0];
  c.window.step_size_ms = o[1];
  c.filterbank.num_channels = o[2];
  c.filterbank.lower_band_limit = o[3];
  c.filterbank.upper_band_limit = o[4];
  c.noise_reduction.smoothing_bits = o[5];
  c.noise_reduction.even_smoothing = o[6];
  c.noise_reduction.odd_smoothing = o[7];
  c.noise_reduction.min_signal_remaining = o[8];
  c.pcan_gain_control.enable_pcan = o[9];
  c.pcan_gain_control.strength = o[10];
  c.pcan_gain_control.offset = o[11];
  c.pcan_gain_control.gain_bits = o[12];
  c.log_scale.enable_log = o[13];
  c.log_scale.scale_shift = o[14];
  FrontendState s;
  if (!FrontendPopulateState(&c, &s, rate)) return -1;
  int at = 0;
  for (size_t left = count; left > 0;) {
    size_t read = 0;
    FrontendOutput r = FrontendProcessSamples(&s, samples + count - left, left, &read);
    left -= read;
    for (size_t i = 0; i < r.size; i++) out[at++] = r.values[i];
  }
  FrontendFreeStateContents(&s);
  return at;
}
"""

OPTIONS = [
    "windowSize", "windowStep", "numChannels", "lowerBandLimit", "upperBandLimit", "smoothingBits", "evenSmoothing",
    "oddSmoothing", "minSignalRemaining", "enablePcan", "pcanStrength", "pcanOffset", "gainBits", "enableLog",
    "scaleShift",
]


def compile_library(package):
    names = (
        "fft fft_util filterbank filterbank_util frontend frontend_util kiss_fft_int16 log_lut log_scale "
        "log_scale_util noise_reduction noise_reduction_util pcan_gain_control pcan_gain_control_util window "
        "window_util"
    )
    folder = package / "tensorflow/lite/experimental/microfrontend/lib"
    sources = [folder / f"{name}.cc" for name in names.split()]
    sources += [package / "kissfft/kiss_fft.cc", package / "kissfft/tools/kiss_fftr.cc"]
    build = pathlib.Path(tempfile.mkdtemp())
    (build / "wrapper.cc").write_text(WRAPPER)
    command = ["c++", "-O2", "-w", "-shared", "-fPIC", "-DFIXED_POINT=16", f"-I{package}", f"-I{package}/kissfft"]
    subprocess.run([*command, "-o", build / "frontend.so", build / "wrapper.cc", *sources], check=True)
    return ctypes.CDLL(str(build / "frontend.so"))


def signal(kind, seed, count):
    """Integers that the test makes again: noise, a triangle in noise, bursts, a full-scale square wave."""
    state, values = seed, []
    for index in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        noise = (state >> 16) - 32768
        if kind == "noise":
            values.append(noise >> (seed % 12))
        elif kind == "triangle":
            phase = index * (seed % 997 + 20) % 65536
            values.append((abs(phase - 32768) - 16384 >> (seed % 4)) + (noise >> 6))
        elif kind == "bursts":
            values.append(noise >> 2 if index // 700 % 3 == 1 else noise >> 11)
        else:
            values.append(-32768 if index // (seed % 50 + 1) % 2 == 0 else 32767)
    return values


def draw(numbers):
    rate = numbers.choice([8000, 8000, 11025, 16000, 16000, 16000, 22050, 44100])
    size = numbers.choice([20, 25, 30, 30, 32, 40, 64])
    usual = numbers.random() < 0.4
    step = numbers.choice([10, 20, size, numbers.randint(1, size)])
    channels = numbers.choice([10, 20, 32, 40, 40, 64])
    lower = numbers.choice([0, 20.5, 60, 125, 300])
    upper = round(rate / 2 * numbers.uniform(0.5, 0.96), 1)
    noise = [10, 0.025, 0.06, 0.05]
    gain = [numbers.random() < 0.8, 0.95, 80.0, 21]
    log = [numbers.random() < 0.85, 6]
    if not usual:
        share = lambda: round(numbers.random(), 4)
        noise = [numbers.randint(5, 12), share(), share(), share()]
        gain[1:] = [round(numbers.uniform(0, 1.2), 3), round(numbers.uniform(1, 200), 2), numbers.randint(17, 23)]
        log[1] = numbers.randint(3, 9)
    return rate, [size, step, channels, lower, upper, *noise, *gain, *log]


def main(package, count):
    library = compile_library(package)
    numbers, cases = random.Random(20261127), []
    while len(cases) < count:
        rate, options = draw(numbers)
        kind = numbers.choice(["noise", "triangle", "bursts", "square"])
        seed, length = numbers.randint(1, 2**20), numbers.randint(rate // 20, rate // 2)
        samples = signal(kind, seed, length)
        out = (ctypes.c_uint16 * (length * options[2]))()
        written = library.run(
            rate, (ctypes.c_double * len(options))(*options), (ctypes.c_int16 * length)(*samples), length, out
        )
        # Shifts by less than 0 bits are not defined; the package's options are far from them.
        fft_bits = (rate * options[0] // 1000 - 1).bit_length()
        if written < 0 or options[12] < fft_bits - 6 + 12:
            continue
        data = b"".join(value.to_bytes(2, "little") for value in out[:written])
        cases.append({
            "rate": rate, "options": dict(zip(OPTIONS, options)), "signal": [kind, seed, length], "values": written,
            "sha256": hashlib.sha256(data).hexdigest()[:32], "first": list(out[: min(written, 4)]),
        })
    for case in cases:
        print(json.dumps(case))


main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
