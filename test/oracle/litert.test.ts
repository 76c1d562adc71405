/**
 * The model that LiteRT gets, with floats at its edges, is the model: TensorFlow's interpreter finds no difference, and
 * LiteRT answers as TensorFlow does. Operators keep all their options, in every kind of model.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roundHalfAway } from '../../src/core/affine.ts';
import { internal } from '../../src/core/assert.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Random } from '../../src/core/random.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Shape, Tensor } from '../../src/core/tensor.ts';
import { floatTensor, numElements, tensor } from '../../src/core/tensor.ts';
import { openLitert } from '../../src/interpreter/litert.ts';
import type { LitertModel } from '../../src/interpreter/litert.ts';
import { runsWithoutScale } from '../../src/ops/define.ts';
import type { OpName } from '../../src/ops/index.ts';
import { ops } from '../../src/ops/index.ts';
import type { TfliteTensor } from '../../src/tflite/file.ts';
import { addFloatEdges, edgeOf } from '../../src/tflite/float-edges.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { integerCases, integerOps } from './integer-cases.ts';
import type { Kernels, Runs } from './integer-runs.ts';
import { countValues, differences, judgeOf, runTflite } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

/** What `models.convert` makes: two kinds of integers, and two that keep floats. Single ops are uint8 too. */
const kinds = ['int8', 'int16', 'float', 'dynamic'] as const;

/** TensorFlow takes a second to convert a model: each kind is made of every fourth, and of all in the soak tests. */
const stride = process.env['ORACLE_MODELS'] === 'all' ? 1 : kinds.length;

/** The reference kernels know no ops of mixed types, and clamp int8 sums wrongly. */
const optimizedKernels: Kernels = 'BUILTIN_WITHOUT_DEFAULT_DELEGATES';

/** XNNPACK multiplies scales in float32, so a code may be a step off, and two after a whole network. */
const steps = { network: 2, op: 1, movement: 0 } as const;

/** Of the largest output: float32 sums in another order. */
const floatTolerance = 1e-5;

/**
 * The share of an op's models that LiteRT may refuse: outputs that are known before it runs, and convolutions of whose
 * channels one needs a factor of 256 or more.
 */
const refusable: { readonly [K in OpName]?: number } = { shape: 1, conv_2d: 0.25, depthwise_conv_2d: 0.25 };

describe.skipIf(!hasOracle)(`models for LiteRT, ORACLE_SEED=${seed}`, { timeout: 600_000 }, () => {
  let oracle: Oracle;
  const total = { models: 0, values: 0, refused: [] as string[], unlike: 0 };
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => {
    oracle.close();
    console.info(
      `${total.models} models rewritten for LiteRT, ${total.values} outputs equal on TensorFlow; LiteRT refuses ` +
        `${total.refused.length}, and differs by a step or by float rounding in ${total.unlike} outputs`,
    );
  });

  /** What is wrong with the rewritten model on TensorFlow, and with LiteRT's answers. */
  async function compare(model: Uint8Array, name: string, kernels: Kernels, most: number): Promise<readonly string[]> {
    const { tensors, ...ports } = readTfliteContents(model, name).subgraphs[0] ?? internal('a model has a subgraph');
    const [inputs, outputs] = [ports.inputs.map((at) => tensors[at]!), ports.outputs.map((at) => tensors[at]!)];
    const random = createRandom(seed, 'inputs', name);
    const given: Runs = [0, 1].map(() => inputs.map((port) => reals(port, random)));
    const stored = (runs: Runs, edges: readonly TfliteTensor[]): Runs =>
      runs.map((run) => run.map((value, index) => storedValue(value, edges[index]!)));
    const rewritten = addFloatEdges(model, name);
    const judge = { kernels, steps: 0 };
    const expected = await runTflite(oracle, model, stored(given, inputs), judge);
    const again = await runTflite(oracle, rewritten, given, judge);
    if (expected === null || again === null) return ['TensorFlow Lite refuses the model or its rewritten form'];
    total.models++;
    total.values += countValues(expected);
    const answers = await runLitert(rewritten, name, given);
    if (answers === null) total.refused.push(name);
    return [
      ...differences(stored(again, outputs), expected, 0).map((text) => `rewritten, on TensorFlow: ${text}`),
      ...(answers === null ? [] : unlike(stored(answers, outputs), expected, most).map((text) => `LiteRT: ${text}`)),
    ];
  }

  /** Outputs further from TensorFlow's than they may be; all others are counted. */
  function unlike(answers: Runs, expected: Runs, most: number): readonly string[] {
    total.unlike += differences(answers, expected, 0).length;
    return expected.flatMap((outputs, run) =>
      outputs.flatMap((output, index) => {
        const largest = Array.from(output.data, Number).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        const tolerance = output.dtype === 'float32' ? floatTolerance * largest : most;
        return differences([[answers[run]![index]!]], [[output]], tolerance).map((text) => `output ${index}, ${text}`);
      }),
    );
  }

  it.each(kinds)("TensorFlow's own %s models", async (kind) => {
    const failures: string[] = [];
    const left = kind === 'int16' ? 'models.without_int16' : '()';
    const names = expectList(await oracle.evaluate(`[name for name in models.names if name not in ${left}]`));
    for (const [index, listed] of names.entries()) {
      if ((index + kinds.indexOf(kind)) % stride !== seed % stride) continue;
      const name = typeof listed === 'string' ? listed : internal('models.names are not names');
      const converted = await oracle.evaluate('models.convert(name, seed, kind)', { name, seed, kind });
      const label = `${name} ${kind}`;
      const found = await compare(expectBytes(converted), label, optimizedKernels, steps.network);
      failures.push(...found.map((text) => `${label}: ${text}`));
    }
    expect(failures).toEqual([]);
    expect(total.refused).toEqual([]);
  });

  it.each(integerOps)('%s alone', async (op) => {
    const failures: string[] = [];
    const before = { models: total.models, refused: total.refused.length };
    const most = runsWithoutScale(ops[op].quant, 'int8') && ops[op].quant.kind !== 'independent' ? 'movement' : 'op';
    for (const { name, graph } of integerCases(op, createRandom(seed, op, 'litert'), 1)) {
      const judge = judgeOf(graph);
      if (judge === null) continue;
      const found = await compare(writeTflite(graph), `${op} ${name}`, judge.kernels, steps[most]);
      failures.push(...found.map((text) => `${name}: ${text}`));
    }
    expect(failures).toEqual([]);
    const share = (total.refused.length - before.refused) / (total.models - before.models);
    expect(share, total.refused.slice(before.refused).join('\n')).toBeLessThanOrEqual(refusable[op] ?? 0);
  });
});

/** LiteRT's outputs as floats or integers; null where it refuses the model. */
async function runLitert(model: Uint8Array, name: string, runs: Runs): Promise<Runs | null> {
  let litert: LitertModel | null = null;
  try {
    litert = await openLitert(model, name);
    const results: (readonly Tensor[])[] = [];
    for (const run of runs) {
      const outputs = await litert.run(run.map(({ data }) => Float32Array.from(data, Number)));
      results.push(outputs.map(({ shape, data }) => ({ dtype: 'float32', shape, data: Float32Array.from(data) })));
    }
    return results;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  } finally {
    litert?.close();
  }
}

/** Floats between -2 and 2; at a quantized edge the real values of random codes. */
function reals(port: TfliteTensor, random: Random): Tensor {
  const draw = (value: () => number): Tensor =>
    floatTensor(port.shape, Float32Array.from({ length: numElements(port.shape) }, value));
  if (edgeOf(port) !== 'quantize') return draw(() => 4 * random.float() - 2);
  const { scale, zeroPoint } = scaleOf(port);
  const count = port.type === 'INT16' ? 2 ** 16 : 2 ** 8;
  const least = port.type === 'UINT8' ? 0 : -count / 2;
  return draw(() => scale * (least + random.below(count) - zeroPoint));
}

/** What the model's own edge holds where the rewritten one has these floats. */
function storedValue(value: Tensor, port: TfliteTensor): Tensor {
  if (edgeOf(port) !== 'quantize') return value;
  const { scale, zeroPoint } = scaleOf(port);
  const codes = Array.from(value.data as Float32Array, (real) => roundHalfAway(real / scale) + zeroPoint);
  return codeTensor(port, value.shape, codes);
}

function codeTensor({ type }: TfliteTensor, shape: Shape, codes: readonly number[]): Tensor {
  if (type === 'INT8') return tensor('int8', shape, Int8Array.from(codes));
  if (type === 'UINT8') return tensor('uint8', shape, Uint8Array.from(codes));
  return tensor('int32', shape, Int32Array.from(codes));
}

function scaleOf({ name, quantization }: TfliteTensor): { readonly scale: number; readonly zeroPoint: number } {
  const [scale, zeroPoint] = [quantization?.scale[0], quantization?.zeroPoint[0]];
  if (scale === undefined || zeroPoint === undefined) return internal(`"${name}" has no scale`);
  return { scale, zeroPoint };
}
