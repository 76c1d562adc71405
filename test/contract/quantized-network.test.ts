/** Every op that a network may hold goes the whole way: float, training with fake quant, eval graph, integers, file. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { integerRanges, quantizeValue } from '../../src/core/affine.ts';
import type { Shape } from '../../src/core/tensor.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import {
  evalPasses,
  freezePasses,
  learningRateInput,
  lowerToIntegers,
  qatPasses,
  runPasses,
  trainedRanges,
} from '../../src/passes/index.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { inferenceOps, ops } from '../../src/ops/index.ts';
import { insertFakeQuant } from '../../src/passes/insert-fake-quant.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';

const BATCH = 4;
const CLASSES = 3;
const INPUT = { min: -1, max: 1 };

type AddNode = <K extends OpName>(
  op: K,
  name: string,
  inputs: readonly ValueRef[],
  attrs: Attrs[K],
) => readonly ValueRef[];

interface Network {
  readonly builder: GraphBuilder;
  /** [batch, 6, 6, 4], after a convolution and a rectifier. */
  readonly image: ValueRef;
  readonly filter: (name: string, shape: Shape) => ValueRef;
  readonly node: AddNode;
}

/** What is put between the first convolution and the last layer, for every op that has an integer form. */
const middles: { readonly [K in OpName]?: (network: Network) => ValueRef } = {
  conv_2d: ({ image, filter, node }) =>
    one(node('conv_2d', 'op/node', [image, filter('op/filter', [5, 3, 3, 4])], conv)),
  depthwise_conv_2d: ({ image, filter, node }) =>
    one(node('depthwise_conv_2d', 'op/node', [image, filter('op/filter', [1, 3, 3, 8])], conv)),
  transpose_conv: ({ image, filter, node }) =>
    one(
      node('transpose_conv', 'op/node', [image, filter('op/filter', [3, 3, 3, 4])], {
        strides: [2, 2],
        padding: { kind: 'same' },
        outputSize: [12, 12],
        activation: 'none',
      }),
    ),
  fully_connected: ({ image, filter, node }) => {
    const rows = one(node('reshape', 'op/rows', [image], { shape: [-1, 144] }));
    return one(node('fully_connected', 'op/node', [rows, filter('op/filter', [7, 144])], dense));
  },
  relu: ({ image, node }) => one(node('relu', 'op/node', [image], {})),
  relu6: ({ image, node }) => one(node('relu6', 'op/node', [image], {})),
  leaky_relu: ({ image, node }) => one(node('leaky_relu', 'op/node', [image], { alpha: 0.25 })),
  prelu: ({ image, filter, node }) => one(node('prelu', 'op/node', [image, filter('op/alpha', [1, 1, 4])], {})),
  hard_swish: ({ image, node }) => one(node('hard_swish', 'op/node', [image], {})),
  logistic: ({ image, node }) => one(node('logistic', 'op/node', [image], {})),
  tanh: ({ image, node }) => one(node('tanh', 'op/node', [image], {})),
  l2_normalization: ({ image, node }) => one(node('l2_normalization', 'op/node', [image], {})),
  max_pool_2d: ({ image, node }) => one(node('max_pool_2d', 'op/node', [image], pool)),
  average_pool_2d: ({ image, node }) => one(node('average_pool_2d', 'op/node', [image], pool)),
  mean: ({ image, node }) => one(node('mean', 'op/node', [image], { axes: [1, 2], keepDims: false })),
  sum: ({ image, node }) => one(node('sum', 'op/node', [image], { axes: [1, 2], keepDims: false })),
  resize_bilinear: ({ image, node }) => one(node('resize_bilinear', 'op/node', [image], larger)),
  resize_nearest_neighbor: ({ image, node }) => one(node('resize_nearest_neighbor', 'op/node', [image], larger)),
  reshape: ({ image, node }) => one(node('reshape', 'op/node', [image], { shape: [-1, 9, 4, 4] })),
  squeeze: ({ image, node }) => {
    const wide = one(node('reshape', 'op/wide', [image], { shape: [-1, 1, 36, 4] }));
    return one(node('squeeze', 'op/node', [wide], { axes: [1] }));
  },
  transpose: ({ image, node }) => one(node('transpose', 'op/node', [image], { permutation: [0, 3, 1, 2] })),
  pad: ({ image, node }) =>
    one(
      node('pad', 'op/node', [image], {
        paddings: [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ],
      }),
    ),
  strided_slice: ({ image, node }) =>
    one(
      node('strided_slice', 'op/node', [image], {
        begin: [0, 1, 0],
        end: [0, 5, 6],
        strides: [1, 1, 2],
        beginMask: 1,
        endMask: 1,
        shrinkAxisMask: 0,
      }),
    ),
  concatenation: ({ image, filter, node }) => {
    const left = one(node('conv_2d', 'left/conv', [image, filter('left/filter', [3, 1, 1, 4])], conv));
    const right = one(node('conv_2d', 'right/conv', [image, filter('right/filter', [2, 3, 3, 4])], conv));
    const pooled = one(node('max_pool_2d', 'right/pool', [one(node('relu', 'right/relu', [right], {}))], keeping));
    const gate = one(node('logistic', 'gate/node', [image], {}));
    return one(node('concatenation', 'op/node', [left, pooled, image, gate], { axis: 3 }));
  },
  add: ({ image, filter, node }) => {
    const other = one(node('conv_2d', 'other/conv', [image, filter('other/filter', [4, 3, 3, 4])], conv));
    return one(node('add', 'op/node', [image, other], { activation: 'none' }));
  },
  sub: ({ image, filter, node }) => {
    const other = one(node('conv_2d', 'other/conv', [image, filter('other/filter', [4, 3, 3, 4])], conv));
    return one(node('relu', 'op/relu', [one(node('sub', 'op/node', [image, other], { activation: 'none' }))], {}));
  },
  mul: ({ image, filter, node }) => {
    const other = one(node('conv_2d', 'other/conv', [image, filter('other/filter', [4, 3, 3, 4])], conv));
    return one(node('mul', 'op/node', [image, other], { activation: 'none' }));
  },
};

const conv = { strides: [1, 1], dilations: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
const dense = { activation: 'none', keepNumDims: false } as const;
const pool = { window: [2, 2], strides: [2, 2], padding: { kind: 'valid' }, activation: 'none' } as const;
const keeping = { window: [3, 3], strides: [1, 1], padding: { kind: 'same' }, activation: 'none' } as const;
const larger = { size: [12, 12], alignCorners: false, halfPixelCenters: true } as const;

/** No network trains through these: softmax ends it (its loss takes the logits), split is read from files only. */
const elsewhere: readonly OpName[] = ['softmax', 'split', 'quantize', 'dequantize'];

describe('every op with an integer kernel', () => {
  it('has a network here, or a reason not to', () => {
    const integer = (Object.keys(ops) as OpName[]).filter((op) => ops[op].int8 !== null && !(op in inferenceOps));
    expect([...Object.keys(middles), ...elsewhere].sort()).toEqual(integer.sort());
  });
});

describe('a network of conv, op, fully_connected goes from float to a .tflite file', () => {
  for (const [op, middle] of Object.entries(middles)) {
    it(`with ${op}`, () => goTheWholeWay(op, middle), 30_000);
  }
});

async function goTheWholeWay(op: string, middle: (network: Network) => ValueRef): Promise<void> {
  const random = createRandom(7, op);
  const options = {
    ranges: { kind: 'observed', delay: 0, estimator: { kind: 'moving_average', decay: 0.5 }, merge: 'mean' },
    input: INPUT,
  } as const;
  const sgd = { kind: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 } as const;
  const training = runPasses(network(middle, BATCH, random, null), qatPasses(options, sgd));

  // Three steps on both engines: the ranges settle, and the kernels of the fast one are those of the plain one.
  const trained = new Map<string, Float32Array>();
  const byReference = await referenceEngine.open(training, { replicas: 1, threads: 1 });
  const byWasm = await wasmEngine.open(training, { replicas: 1, threads: 2 });
  try {
    for (let step = 0; step < 3; step++) {
      const feeds = new Map<string, Float32Array>();
      for (const name of training.inputs) feeds.set(name, feedOf(training, name, random.split(`step ${step}`, name)));
      const [expected, actual] = [await byReference.run(feeds), await byWasm.run(feeds)];
      const [loss = ''] = training.outputs;
      // Means of codes lie on rounding ties, which the last bit of a float decides.
      expect(Math.abs(actual.get(loss)![0]! - expected.get(loss)![0]!)).toBeLessThan(0.02);
    }
    for (const { name } of variablesOf(training)) trained.set(name, byReference.read(name));
  } finally {
    await byWasm.close();
  }
  const givenTensor = (name: string) => {
    const data = trained.get(name)!;
    return floatTensor(valueOf(training, name).type.shape, data);
  };

  const evalGraph = runPasses(
    network(middle, 1, random, (name) => givenTensor(name).data),
    evalPasses({ ranges: trainedRanges(givenTensor), input: INPUT }),
  );
  const { graphDef, variables } = exportGraphDef(evalGraph);
  const imported = verify(importGraphDef(graphDef, variables, 'eval.pb'));
  const frozen = runPasses(imported, freezePasses);
  const lowered = verify(lowerToIntegers(frozen, 'int8', 'frozen.pb').graph);
  const file = verify(readTflite(writeTflite(lowered), 'model.tflite'));
  const interpreter = prepareInterpreter(file, 'model.tflite');

  const input = feedOf(frozen, frozen.inputs[0]!, random.split('test'));
  const session = await referenceEngine.open(frozen, { replicas: 1, threads: 1 });
  const logits = (await session.run(new Map([[frozen.inputs[0]!, input]]))).get(frozen.outputs[0]!)!;
  const inputQuant = perTensorOf(file, file.inputs[0]!);
  const codes = Int8Array.from(input, (x) =>
    quantizeValue(x, inputQuant.scale, inputQuant.zeroPoint, integerRanges.int8),
  );
  const [output] = interpreter.run([codes]);
  const { scale, zeroPoint } = perTensorOf(file, file.outputs[0]!);
  expect(output!.shape).toEqual([1, CLASSES]);
  for (const [index, code] of [...output!.data].entries()) {
    // Integers round where fake quant does not: a few steps through three layers.
    expect(Math.abs(Number(code) - zeroPoint - logits[index]! / scale)).toBeLessThan(6);
  }
}

function perTensorOf(graph: Graph, name: string) {
  const { quant } = valueOf(graph, name);
  if (quant?.kind !== 'per_tensor') throw new Error(`${name} has no scale`);
  return quant;
}

function feedOf(graph: Graph, name: string, random: Random): Float32Array {
  const count = numElements(valueOf(graph, name).type.shape);
  if (name === learningRateInput) return Float32Array.of(0.01);
  if (name.startsWith('label')) return Float32Array.from({ length: count }, () => random.below(CLASSES));
  return Float32Array.from({ length: count }, () => 2 * random.float() - 1);
}

function network(
  middle: (network: Network) => ValueRef,
  batch: number,
  random: Random,
  given: ((name: string) => Float32Array) | null,
): Graph {
  const builder = buildGraph('network', 'float');
  const filter = (name: string, shape: Shape): ValueRef => {
    const draw = random.split(name);
    const data = given?.(name) ?? Float32Array.from({ length: numElements(shape) }, () => draw.float() - 0.5);
    return builder.variable(name, floatTensor(shape, data), 'weight');
  };
  const node: AddNode = (op, name, inputs, attrs) => builder.node(op, name, inputs, attrs);
  const input = builder.input('input', { dtype: 'float32', shape: [batch, 6, 6, 2] });
  const first = one(node('conv_2d', 'first/conv', [input, filter('first/filter', [4, 3, 3, 2])], conv));
  const image = one(node('relu', 'first/relu', [first], {}));
  const output = middle({ builder, image, filter, node });
  const features = numElements(output.type.shape.slice(1));
  const rows = one(node('reshape', 'last/rows', [output], { shape: [-1, features] }));
  const operands = [rows, filter('last/filter', [CLASSES, features]), filter('last/bias', [CLASSES])];
  return builder.finish([one(node('fully_connected', 'last/fully_connected', operands, dense))]);
}

function one(values: readonly ValueRef[]): ValueRef {
  const [value] = values;
  if (value === undefined) throw new Error('a node without outputs');
  return value;
}

describe('concatenation', () => {
  it('shares one range with what goes nowhere else, and rescales the rest', () => {
    const graph = lowered(middles.concatenation!);
    const concatenation = graph.nodes.find(({ op }) => op === 'concatenation')!;
    const quant = perTensorOf(graph, concatenation.name);
    for (const name of concatenation.inputs) expect(perTensorOf(graph, name)).toEqual(quant);
    // left and right/pool lead into it only; image and gate have a range of their own.
    const rescaled = graph.nodes.filter(({ op }) => op === 'quantize').map(({ inputs }) => inputs[0]);
    expect(rescaled).toEqual(['first/conv', 'gate/node']);
    expect(perTensorOf(graph, 'left/conv')).toEqual(quant);
    // right/relu is fused into right/conv, which takes the range through the pool.
    expect(perTensorOf(graph, 'right/conv')).toEqual(quant);
    expect(perTensorOf(graph, 'gate/node')).toEqual({ kind: 'per_tensor', scale: 1 / 256, zeroPoint: -128 });
  });

  it('is observed once, on what it joins', () => {
    const random = createRandom(7);
    const options = {
      ranges: { kind: 'observed', delay: 0, estimator: { kind: 'moving_average', decay: 0.5 }, merge: 'mean' },
      input: INPUT,
    } as const;
    const qat = insertFakeQuant(network(middles.concatenation!, BATCH, random, null), options);
    const observed = qat.nodes.flatMap(({ op, name, inputs }) =>
      op === 'observe_range' && name.includes('act_quant') ? [inputs[0]] : [],
    );
    expect(observed).toEqual(['first/relu', 'op/node', 'last/fully_connected']);
  });
});

describe('padding that .tflite cannot say', () => {
  it('becomes a pad before the convolution', () => {
    const padding = { kind: 'explicit', top: 1, bottom: 0, left: 2, right: 1 } as const;
    const graph = lowered(({ image, filter, node }) =>
      one(node('depthwise_conv_2d', 'op/node', [image, filter('op/filter', [1, 3, 3, 4])], { ...conv, padding })),
    );
    const pad = graph.nodes.find(({ op }) => op === 'pad');
    expect(pad?.attrs).toEqual({
      paddings: [
        [0, 0],
        [1, 0],
        [2, 1],
        [0, 0],
      ],
    });
    const depthwise = graph.nodes.find(({ op }) => op === 'depthwise_conv_2d');
    expect(depthwise).toMatchObject({ inputs: [pad?.name, 'op/filter', expect.anything()] });
    expect(depthwise?.attrs).toMatchObject({ padding: { kind: 'valid' } });
    expect(valueOf(graph, 'op/node').type.shape).toEqual([1, 5, 7, 4]);
    expect(() => writeTflite(graph)).not.toThrow();
  });
});

/** With weights and ranges that were not trained. */
function lowered(middle: (network: Network) => ValueRef): Graph {
  const random = createRandom(7);
  const given = (name: string) => floatTensor([], [!name.endsWith('max') ? -1 : name.startsWith('op/') ? 5 : 3]);
  const float = network(middle, 1, random, null);
  const tensorOf = (name: string) => {
    const source = float.values.get(name)?.source;
    return source?.kind === 'variable'
      ? floatTensor(source.initial.shape, Float32Array.from(source.initial.data, Number))
      : given(name);
  };
  const evalGraph = runPasses(float, evalPasses({ ranges: trainedRanges(tensorOf), input: INPUT }));
  return verify(lowerToIntegers(runPasses(evalGraph, freezePasses), 'int8', 'frozen.pb').graph);
}
