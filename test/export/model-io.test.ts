/** What is exported to prepare inputs and to read outputs, in C++ and JavaScript, against numbers derived by hand. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { integerRanges, quantizeValue } from '../../src/core/affine.ts';
import { frontendCode, frontendQuantization } from '../../src/data/features/micro-frontend.ts';
import type { Exported } from '../../src/export/exported.ts';
import { modelIoHeader } from '../../src/export/model-io.ts';
import { modelSettingsHeader } from '../../src/export/model-settings.ts';
import { webModule } from '../../src/export/web-model.ts';
import type { Folder } from './bundles.ts';
import { writeFolder } from './bundles.ts';
import { byHand } from './by-hand.ts';
import { compile, compilers, runProgram } from './compile.ts';

/** What a program with the headers of a model prints, compiled by each compiler. */
function printed(model: Exported, statements: string): readonly string[] {
  const folder = writeFolder(model);
  const program = `#include <stdio.h>
#include "model_io.h"
using namespace qpipe_small;
int main() {
${statements}
}
`;
  writeFileSync(join(folder.path, 'io.cc'), program);
  const texts = compilers.map((compiler) => {
    expect(compile(compiler, folder.path, ['io.cc']), compiler).toBe('');
    return runProgram(folder.path).text;
  });
  folder.remove();
  return texts;
}

type Module = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

async function moduleOf(model: Exported): Promise<Module> {
  const text = Buffer.from(webModule(model)).toString('base64');
  return (await import(/* @vite-ignore */ `data:text/javascript;base64,${text}`)) as Module;
}

const same = (text: string): readonly string[] => compilers.map(() => text);

describe('answers', () => {
  it('of classes: the label of the largest, the first of equals', async () => {
    const model = byHand({ output: { task: 'classify', classes: ['a', 'é', 'c'] }, shape: [3] });
    expect(
      printed(
        model,
        `  const int8_t outputs[3][3] = {{-5, 7, 6}, {-5, -9, -5}, {0, 0, 1}};
  for (const auto& output : outputs) puts(kLabels[Answer(output)]);`,
      ),
    ).toEqual(same('é\na\nc\n'));
    const { answer } = await moduleOf(model);
    const outputs = [Int8Array.of(-5, 7, 6), Int8Array.of(-5, -9, -5), Int8Array.of(0, 0, 1)];
    expect(outputs.map((output) => answer!(output))).toEqual(['é', 'a', 'c']);
  });

  it('of two classes: the second from the threshold on', async () => {
    const half = byHand({ output: { task: 'binary', classes: ['no', 'yes'] }, shape: [1] });
    for (const code of [0, 127, 128]) {
      const model = { ...half, decision: { code, real: (code + 128) / 256, source: 'a test' } };
      expect(
        printed(
          model,
          `  const int8_t codes[] = {-1, 0, 127};
  for (const int8_t& code : codes) puts(kLabels[Answer(&code)]);`,
        ),
      ).toEqual(same([-1, 0, 127].map((each) => (each >= code ? 'yes\n' : 'no\n')).join('')));
      const { answer } = await moduleOf(model);
      expect([-1, 0, 127].map((each) => answer!([each]))).toEqual(
        [-1, 0, 127].map((each) => (each >= code ? 'yes' : 'no')),
      );
    }
  });

  it('of labels: each from one half on', async () => {
    const output = { task: 'multi_label', classes: [], tags: ['x', 'y', 'z'] } as const;
    const model = byHand({ output, shape: [3] });
    expect(
      printed(
        model,
        `  const int8_t output[3] = {-1, 0, 100};
  for (size_t label = 0; label < kNumLabels; ++label) printf("%s %d\\n", kLabels[label], Answer(output, label));`,
      ),
    ).toEqual(same('x 0\ny 1\nz 1\n'));
    const { answer } = await moduleOf(model);
    expect(answer!([-1, 0, 100])).toEqual(['y', 'z']);
  });

  it('of targets: in their units', async () => {
    const targets = [
      { name: 'grams', mean: 100, deviation: 8 },
      { name: 'cm', mean: -1, deviation: 0.5 },
    ];
    const model = byHand({ output: { task: 'regress', classes: [], targets }, shape: [2] });
    // 100 + 8 * (64 / 256), and -1 + 0.5 * (255 / 256).
    expect(
      printed(
        model,
        `  const int8_t output[2] = {-64, 127};
  for (size_t target = 0; target < 2; ++target) printf("%s %.9g\\n", kLabels[target], static_cast<double>(Answer(output, target)));`,
      ),
    ).toEqual(same('grams 102\ncm -0.501953125\n'));
    const { answer } = await moduleOf(model);
    expect(answer!([-64, 127])).toEqual({ grams: 102, cm: -0.501953125 });
  });

  it('of reconstructions: the mean squared error', async () => {
    const model = byHand({ output: { task: 'reconstruct', classes: [] }, shape: [2] });
    // ((64 / 256)^2 + (128 / 256)^2) / 2
    expect(
      printed(
        model,
        `  const int8_t input[2] = {0, 0};
  const int8_t output[2] = {64, -128};
  printf("%.9g\\n", static_cast<double>(Answer(input, output)));`,
      ),
    ).toEqual(same('0.15625\n'));
    const { answer } = await moduleOf(model);
    expect(answer!([64, -128], [0, 0])).toBe(0.15625);
  });

  it('of pixels: the class of each', async () => {
    const model = byHand({ output: { task: 'segment', classes: ['sky', 'sea'] }, shape: [1, 2, 2] });
    expect(
      printed(
        model,
        `  const int8_t output[4] = {1, 2, 2, 1};
  for (size_t pixel = 0; pixel < 2; ++pixel) puts(kLabels[Answer(output, pixel)]);`,
      ),
    ).toEqual(same('sea\nsky\n'));
    const { answer } = await moduleOf(model);
    expect(answer!(Int8Array.of(1, 2, 2, 1))).toEqual(['sea', 'sky']);
  });
});

describe('inputs', () => {
  const output = { task: 'classify', classes: ['a', 'b', 'c'] } as const;

  it.each([
    ['the pixel less 128', { scale: 1 / 256, mean: 0 }, 1 / 256],
    ['a table', { scale: 1 / 255, mean: 7 }, 1 / 200],
  ])('of pixels are %s', async (form, normalize, scale) => {
    const inputQuant = { kind: 'per_tensor', scale: Math.fround(scale), zeroPoint: -128 } as const;
    const model = byHand({ input: { normalize }, inputQuant, output, shape: [3] });
    const codes = Array.from({ length: 256 }, (_, pixel) =>
      quantizeValue(
        Math.fround(normalize.scale) * (pixel - normalize.mean),
        inputQuant.scale,
        -128,
        integerRanges.int8,
      ),
    );
    expect(modelIoHeader(model).includes('kPixelInputs')).toBe(form === 'a table');
    const program =
      '  for (int pixel = 0; pixel < 256; ++pixel) printf("%d ", EncodePixel(static_cast<uint8_t>(pixel)));';
    expect(printed(model, program)).toEqual(same(codes.map((code) => `${code} `).join('')));
    const { encodePixel } = await moduleOf(model);
    expect(Array.from({ length: 256 }, (_, pixel) => encodePixel!(pixel))).toEqual(codes);
  });

  it('of the front end are those of the device, and its configuration is complete', async () => {
    const decoding = { audio: { rate: 16000, seconds: 1 }, features: { kind: 'micro_frontend', window_step: 20 } };
    const channels = [{ name: 'micro_frontend', mean: 0, deviation: 1 }];
    const model = byHand({
      input: { normalize: { min: 0, max: 255 * frontendQuantization.scale }, channels, decoding },
      inputQuant: { kind: 'per_tensor', scale: Math.fround(frontendQuantization.scale), zeroPoint: -128 },
      output,
      shape: [3],
    });
    const program = `  unsigned sum = 0;
  for (uint32_t value = 0; value < 65536; ++value) {
    const int code = EncodeFrontend(static_cast<uint16_t>(value));
    const int same = EncodeMeasured(static_cast<float>(value) * (10.0f / 256.0f), 0);
    sum = sum * 31u + static_cast<unsigned>(code + 128) + (code == same ? 0u : 1u);
  }
  printf("%u\\n", sum);
  struct {
    struct { size_t size_ms, step_size_ms; } window;
    struct { int num_channels; float upper_band_limit, lower_band_limit; int output_scale_shift; } filterbank;
    struct { int smoothing_bits; float even_smoothing, odd_smoothing, min_signal_remaining; } noise_reduction;
    struct { int enable_pcan; float strength, offset; int gain_bits; } pcan_gain_control;
    struct { int enable_log, scale_shift; } log_scale;
  } config;
  FillFrontendConfig(config);
  printf("%d %d %d %g %g\\n", static_cast<int>(config.window.size_ms), static_cast<int>(config.window.step_size_ms),
         config.filterbank.num_channels, static_cast<double>(config.filterbank.lower_band_limit),
         static_cast<double>(config.filterbank.upper_band_limit));
  printf("%d %g %g %g\\n", config.noise_reduction.smoothing_bits, static_cast<double>(config.noise_reduction.even_smoothing),
         static_cast<double>(config.noise_reduction.odd_smoothing),
         static_cast<double>(config.noise_reduction.min_signal_remaining));
  printf("%d %g %g %d %d %d\\n", config.pcan_gain_control.enable_pcan, static_cast<double>(config.pcan_gain_control.strength),
         static_cast<double>(config.pcan_gain_control.offset), config.pcan_gain_control.gain_bits,
         config.log_scale.enable_log, config.log_scale.scale_shift);
  printf("%d %d\\n", kSampleRate, kSamples);`;
    let sum = 0;
    for (let value = 0; value < 65536; value++) sum = (Math.imul(sum, 31) + frontendCode(value) + 128) >>> 0;
    expect(printed(model, program)).toEqual(
      // The defaults of micro_speech, as of FrontendFillConfigWithDefaults and its own: 30 ms, 40 channels, 125 .. 7500 Hz.
      same(`${sum}\n30 20 40 125 7500\n10 0.025 0.06 0.05\n1 0.95 80 21 1 6\n16000 16000\n`),
    );
    const { encodeFrontend, encodeMeasured } = await moduleOf(model);
    const values = [0, 1, 2, 100, 300, 665, 666, 700, 65535];
    expect(values.map((value) => encodeFrontend!(value))).toEqual(values.map(frontendCode));
    expect(values.map((value) => encodeMeasured!(value * (10 / 256), 0))).toEqual(values.map(frontendCode));
  });

  it('of other sound say the settings of their features', () => {
    const decoding = { audio: { rate: 8000, seconds: 0.5 }, features: { kind: 'log_mel', spectrum: 'magnitude' } };
    const channels = [{ name: 'log_mel', mean: -3.5, deviation: 2 }];
    const header = modelSettingsHeader(
      byHand({ input: { normalize: { min: -4, max: 4 }, channels, decoding }, output, shape: [3] }),
    );
    // 32 ms and 20 ms of 8 kHz, and the next power of two.
    expect(header).toContain(`// What the model sees of 0.5 s of sound: log_mel, with the settings below.
inline constexpr int kSampleRate = 8000;
inline constexpr int kSamples = 4000;
inline constexpr int kFeatureFrameLength = 256;
inline constexpr int kFeatureFrameStep = 160;
inline constexpr int kFeatureFftLength = 256;
inline constexpr const char* kFeatureSpectrum = "magnitude";
inline constexpr int kFeatureNumMelBins = 40;
inline constexpr float kFeatureLowerEdgeHertz = 20.0f;
inline constexpr float kFeatureUpperEdgeHertz = 4000.0f;
inline constexpr float kFeatureLogOffset = 0.000001f;
`);
  });
});

/** The parts of TensorFlow Lite Micro that the exported code names, with the signatures of its headers. */
const micro = {
  'tensorflow/lite/micro/micro_mutable_op_resolver.h': `#pragma once
#include <stddef.h>
#include <stdint.h>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
#define TF_LITE_ENSURE_STATUS(a) do { const TfLiteStatus s = (a); if (s != kTfLiteOk) return s; } while (0)
namespace tflite {
struct MicroOpResolver {};
template <unsigned int tOpCount>
struct MicroMutableOpResolver : MicroOpResolver {
  unsigned int used = 0;
  TfLiteStatus AddLogistic() { return ++used <= tOpCount ? kTfLiteOk : kTfLiteError; }
};
}  // namespace tflite
`,
  'tensorflow/lite/micro/micro_interpreter.h': `#pragma once
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#define TFLITE_SCHEMA_VERSION (3)
union TfLitePtrUnion { void* raw; };
struct TfLiteTensor { TfLitePtrUnion data; };
struct TfLiteEvalTensor { TfLitePtrUnion data; };
namespace tflite {
struct MicroResourceVariables;
struct MicroProfilerInterface;
class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t* arena, size_t, MicroResourceVariables* = nullptr,
                   MicroProfilerInterface* = nullptr, bool keep = false) : input_{{arena}}, output_{{arena + 16}}, keep_(keep) {}
  TfLiteStatus AllocateTensors() { return kTfLiteOk; }
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t) { return &input_; }
  TfLiteTensor* output(size_t) { return &output_; }
  TfLiteEvalTensor* GetTensor(int tensor, int = 0) {
    eval_.data = tensor == 0 ? input_.data : output_.data;
    return keep_ ? &eval_ : nullptr;
  }
 private:
  TfLiteTensor input_, output_;
  TfLiteEvalTensor eval_{};
  bool keep_;
};
}  // namespace tflite
`,
  'tensorflow/lite/schema/schema_generated.h': `#pragma once
namespace tflite {
struct Model { unsigned version() const { return 3; } };
inline const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }
}  // namespace tflite
`,
};

describe.skipIf(compilers.length === 0)('the runtime of tflm_invoke.cc', () => {
  const model = byHand({ output: { task: 'classify', classes: ['a', 'b', 'c'] }, shape: [3] });
  const sources = ['main.cc', 'model_data.cc', 'test_vectors.cc', 'tflm_invoke.cc', 'kernel.cc'];

  function folderWith(codes: readonly number[]): Folder {
    const folder = writeFolder(model);
    for (const [file, text] of Object.entries(micro)) {
      mkdirSync(dirname(join(folder.path, file)), { recursive: true });
      writeFileSync(join(folder.path, file), text);
    }
    const kernel = `#include "tensorflow/lite/micro/micro_interpreter.h"
TfLiteStatus tflite::MicroInterpreter::Invoke() {
  static const int8_t codes[3] = {${codes.join(', ')}};
  for (int at = 0; at < 3; ++at) static_cast<int8_t*>(output_.data.raw)[at] = codes[at];
  return kTfLiteOk;
}
`;
    writeFileSync(join(folder.path, 'kernel.cc'), kernel);
    return folder;
  }

  const expected = Array.from(model.vectors.vectors[0]!.output);

  it.each(compilers)('compiles with %s, and passes with the right codes', (compiler) => {
    const folder = folderWith(expected);
    expect(compile(compiler, folder.path, sources, ['-I.', '-DQPIPE_USE_TFLM', '-DQPIPE_KEEP_TENSORS'])).toBe('');
    expect(runProgram(folder.path)).toEqual({ status: 0, text: 'PASS: 0 of 1 vectors differ\n' });
    folder.remove();
  });

  it('fails with others, and names the layer only where tensors are kept', () => {
    const folder = folderWith(expected.with(1, 5));
    expect(compile(compilers[0]!, folder.path, sources, ['-I.', '-DQPIPE_USE_TFLM'])).toBe('');
    const { status, text } = runProgram(folder.path);
    expect([status, text]).toEqual([1, 'vector 0: 1 of 3 values differ\nFAIL: 1 of 1 vectors differ\n']);
    expect(compile(compilers[0]!, folder.path, sources, ['-I.', '-DQPIPE_USE_TFLM', '-DQPIPE_KEEP_TENSORS'])).toBe('');
    expect(runProgram(folder.path).text).toContain('1 of 3 values differ, first in out/put\n');
    folder.remove();
  });
});
