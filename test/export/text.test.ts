/** Exported texts against what is derived by hand. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arrayLines, cFloat, cString, identifierOf, pascalCase } from '../../src/export/literals.ts';
import { modelSettingsHeader } from '../../src/export/model-settings.ts';
import { opResolverHeader } from '../../src/export/op-resolver.ts';
import { exportedModel } from '../../src/export/model.ts';
import { readme } from '../../src/export/readme.ts';
import { resolverMethods } from '../../src/export/resolver-methods.ts';
import { testVectorsSource } from '../../src/export/test-vectors.ts';
import { fnv1a } from '../../src/export/vectors.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { contractOf } from '../../src/graph/contract.ts';
import type { Node } from '../../src/graph/graph.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { builtinName } from '../../src/tflite/builtin-names.ts';
import { temporaryFolder } from './bundles.ts';
import { byHand, pixelInput } from './by-hand.ts';
import { compile, compilers, runProgram } from './compile.ts';

const odd = ['say "hi"', 'a\\b', 'what??/', '??=', 'é猫', 'tab\there', '\u0001' + '2', 'line\nline', 'it’s'];

describe('literals', () => {
  it('escape what ends a string, begins a trigraph or is not ASCII', () => {
    expect(odd.map(cString)).toEqual([
      '"say \\"hi\\""',
      '"a\\\\b"',
      '"what\\?\\?/"',
      '"\\?\\?="',
      // é is C3 A9, 猫 is E7 8C AB; in octal 303 251 and 347 214 253.
      '"\\303\\251\\347\\214\\253"',
      '"tab\\011here"',
      '"\\0012"',
      '"line\\012line"',
      // ’ is E2 80 99: 342 200 231.
      '"it\\342\\200\\231s"',
    ]);
  });

  it.each(compilers)('are the bytes of the texts for %s, trigraphs on', (compiler) => {
    const folder = temporaryFolder();
    const printed = odd.map((text) => `  puts(${cString(text)});\n`).join('');
    writeFileSync(join(folder.path, 'a.cc'), `#include <stdio.h>\nint main() {\n${printed}}\n`);
    expect(compile(compiler, folder.path, ['a.cc'], ['-trigraphs'])).toBe('');
    expect(runProgram(folder.path).text).toBe(odd.map((text) => `${text}\n`).join(''));
    folder.remove();
  });

  it('hold numbers of float32, and names', () => {
    expect([0.1, 1, -3, 1e-7, 1e10, Math.fround(1 / 255)].map(cFloat)).toEqual([
      ...['0.1f', '1.0f', '-3.0f', '1e-7f', '10000000000.0f', '0.00392156886f'],
    ]);
    expect(['cifar10-resnet8', '3d.points', 'a__b', '---', 'für'].map(identifierOf)).toEqual([
      ...['cifar10_resnet8', '3d_points', 'a_b', 'model', 'f_r'],
    ]);
    expect(pascalCase('upper_band_limit')).toBe('UpperBandLimit');
    expect(arrayLines(['1', '2', '3'], '  ')).toBe('  1, 2, 3,');
    expect(
      arrayLines(
        Array.from({ length: 40 }, () => '-100'),
        '    ',
      )
        .split('\n')
        .map((line) => line.length),
    ).toEqual([
      // 4 + 16 * 6 - 1, and what is left of 40.
      ...[99, 99, 51],
    ]);
  });

  it('are digested by FNV-1a, as its authors publish it', () => {
    // Test vectors of draft-eastlake-fnv: "", "a", "foobar".
    const texts = ['', 'a', 'foobar'].map((text) => fnv1a(new TextEncoder().encode(text)));
    expect(texts).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe('files of a model of one op', () => {
  const model = byHand({
    name: 'door-bell 2',
    output: { task: 'binary', classes: ['noise', 'it "rings"??'] },
    shape: [1],
  });

  it('say its settings', () => {
    // Threshold: half / (1 / 256) - 128 = 0. Arena: 16 bytes in and 16 out; 1024 + 2 x 48 + 128 of the runtime's own;
    // 1024 + 2 x 32 + 2 x 72 to prepare; sizeof(LinearMemoryPlanner) is 8216, aligned 8224.
    expect(modelSettingsHeader(model)).toBe(`// What the model takes and gives.
#ifndef QPIPE_DOOR_BELL_2_MODEL_SETTINGS_H_
#define QPIPE_DOOR_BELL_2_MODEL_SETTINGS_H_

#include <stddef.h>
#include <stdint.h>

namespace qpipe_door_bell_2 {

// Input: in _put_
using InputType = int8_t;
inline constexpr int kInputShape[] = {1, 1};
inline constexpr size_t kInputSize = 1;
// real = scale * (code - zero point)
inline constexpr float kInputScale = 0.00390625f;
inline constexpr int kInputZeroPoint = -128;

// Output: out_put
using OutputType = int8_t;
inline constexpr int kOutputShape[] = {1, 1};
inline constexpr size_t kOutputSize = 1;
// real = scale * (code - zero point)
inline constexpr float kOutputScale = 0.00390625f;
inline constexpr int kOutputZeroPoint = -128;

// Names of the outputs, in UTF-8.
inline constexpr size_t kNumLabels = 2;
inline constexpr const char* kLabels[kNumLabels] = {
    "noise",
    "it \\"rings\\"\\?\\?",
};

// From which output on a label applies: a probability of one half.
inline constexpr int kThresholdCode = 0;
inline constexpr float kThreshold = 0.5f;

// Memory of TensorFlow Lite Micro beside the model, with its reference kernels: 32 bytes of
// activations, planned as its own planner does, and at most 1248 bytes of its own. Kernels of a
// chip's vendor may ask for more; arena_used_bytes() says afterwards how much was needed.
inline constexpr size_t kArenaSize = 2480;
// The same where every tensor is kept, to compare the layers (QPIPE_KEEP_TENSORS).
inline constexpr size_t kArenaSizeKeepingTensors = 10704;

}  // namespace qpipe_door_bell_2

#endif  // QPIPE_DOOR_BELL_2_MODEL_SETTINGS_H_
`);
  });

  it('add its operators and no others', () => {
    expect(opResolverHeader(model)).toContain(`inline constexpr int kNumOperators = 1;

using OpResolver = tflite::MicroMutableOpResolver<kNumOperators>;

inline TfLiteStatus RegisterOperators(OpResolver& resolver) {
  TF_LITE_ENSURE_STATUS(resolver.AddLogistic());
  return kTfLiteOk;
}
`);
    const refused = opResolverHeader({ ...model, operators: ['CONV_2D', 'TILE'] });
    expect(refused).toContain('#error "TensorFlow Lite Micro has no kernel for TILE"');
    expect(refused).toContain('AddConv2D');
  });

  it('say what keeps the model from the device', () => {
    expect(readme(model)).not.toContain('does not run this model');
    const nodes = model.graph.nodes.map((node) => ({ ...node, op: 'tile', attrs: {} }) as unknown as Node<'tile'>);
    expect(readme({ ...model, graph: { ...model.graph, nodes } })).toContain(
      'TensorFlow Lite Micro does not run this model as it was tested:\n\n- tile "out/put" is TILE; TensorFlow Lite Micro takes no such op\n',
    );
  });

  it('hold its vector', () => {
    // Code 0 is the real value 0.5, whose logistic is 0.6225: 31.35 steps of 1 / 256 above -128 + 128.
    const digest = fnv1a(Uint8Array.of(31)).toString(16);
    expect(testVectorsSource(model)).toContain(`const InputType kVectorInputs[kNumVectors][kInputSize] = {
    {
        0,
    },
};

const OutputType kVectorOutputs[kNumVectors][kOutputSize] = {
    {
        31,
    },
};

const Layer kLayers[kNumLayers] = {
    {"out/put", 1, 1},
};

const uint32_t kVectorDigests[kNumVectors][kNumLayers] = {
    {
        0x${digest}u,
    },
};
`);
  });
});

describe('a model of two outputs', () => {
  it('is not exported', () => {
    const builder = buildGraph('main', 'int8');
    const input = builder.input(
      'input',
      { dtype: 'int8', shape: [1, 2] },
      { kind: 'per_tensor', scale: 1, zeroPoint: 0 },
    );
    const quant = { kind: 'per_tensor', scale: 1 / 256, zeroPoint: -128 } as const;
    const [one, two] = ['one', 'two'].map((name) => builder.node('logistic', name, [input], {}, quant)[0]!);
    const graph = builder.finish([one!, two!]);
    const outputs = [{ task: 'regress', classes: [] } as const, { task: 'regress', classes: [] } as const];
    const contract = contractOf(graph, [pixelInput], outputs);
    expect(() => exportedModel('two', writeTflite(graph), contract, null, 'two.tflite')).toThrow(
      'the model has 1 input and 2 outputs; the export stage writes code for one of each',
    );
  });
});

describe('methods of the resolver', () => {
  it('are there for every operator that we write, but for those without a kernel', () => {
    const written = opNames.flatMap((op) => {
      const binding = ops[op].tflite;
      return binding === null ? [] : [builtinName(binding.builtinCode)];
    });
    const missing = [...new Set(written)].filter((name) => resolverMethods[name] === undefined);
    // The wheel tflite-micro refuses these, and runs all others.
    expect(missing.toSorted()).toEqual(['REDUCE_PROD', 'TILE']);
  });
});
