/** What an ONNX file becomes, and what is said of one that cannot be imported. Numbers are compared in test/oracle. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { floatTensor } from '../../src/core/tensor.ts';
import { parameterOf, valueOf, variablesOf } from '../../src/graph/graph.ts';
import { modelPath } from '../../src/importers/define.ts';
import { importerOf } from '../../src/importers/index.ts';
import { onnx } from '../../src/importers/onnx/index.ts';
import { readOnnx } from '../../src/importers/onnx/read.ts';
import { runSteps } from '../models/networks.ts';
import type { WrittenModel, WrittenNode, WrittenTensor } from './onnx-writer.ts';
import { integers, weights, writeOnnx } from './onnx-writer.ts';

/** Convolution, batch norm, relu, flatten, and a layer of three outputs. */
const classifier: WrittenModel = {
  inputs: { image: ['batch', 2, 4, 6] },
  outputs: ['scores'],
  nodes: [
    { op: 'Conv', name: '/stem/conv/Conv', inputs: ['image', 'w'], outputs: ['c'], attributes: { pads: [1, 1, 1, 1] } },
    {
      op: 'BatchNormalization',
      name: '/stem/bn/BatchNormalization',
      inputs: ['c', 'g', 'b', 'm', 'v'],
      outputs: ['n'],
    },
    { op: 'Relu', inputs: ['n'], outputs: ['r'] },
    { op: 'Dropout', inputs: ['r'], outputs: ['d'] },
    { op: 'Flatten', inputs: ['d'], outputs: ['f'] },
    { op: 'Gemm', name: '/head/Gemm', inputs: ['f', 'h', 'hb'], outputs: ['scores'], attributes: { transB: 1 } },
  ],
  weights: {
    ...{ w: weights([5, 2, 3, 3]), g: weights([5]), b: weights([5]), m: weights([5]) },
    ...{ v: { shape: [5], dataType: 1, floats: [1, 2, 3, 4, 5] }, h: weights([3, 120]), hb: weights([3]) },
  },
};

const problemsOf = (model: WrittenModel): readonly string[] => {
  try {
    readOnnx(writeOnnx(model), 'a.onnx');
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics.map(({ message, hint }) => `${message} | ${hint ?? ''}`);
    throw error;
  }
  return [];
};

const nodesOf = (model: WrittenModel): readonly string[] =>
  readOnnx(writeOnnx(model), 'a.onnx').graph.nodes.map(({ op, name }) => `${op} ${name}`);

const alone = (
  node: Omit<WrittenNode, 'outputs'>,
  shape: readonly (number | string)[],
  more: { readonly [name: string]: WrittenTensor } = {},
): WrittenModel => ({
  inputs: { x: shape },
  outputs: ['y'],
  nodes: [{ ...node, outputs: ['y'] }],
  weights: more,
});

describe('an ONNX model', () => {
  it('becomes layers with names, roles and channels last', () => {
    const { graph, notes } = readOnnx(writeOnnx(classifier), 'a.onnx');
    expect(graph.level).toBe('float');
    expect(valueOf(graph, 'image').type.shape).toEqual([1, 4, 6, 2]);
    expect(graph.outputs).toEqual(['scores']);
    expect(graph.nodes.map(({ op, name }) => `${op} ${name}`)).toEqual([
      'conv_2d stem/conv/conv_2d',
      'batch_norm stem/bn/batch_norm',
      'relu r/relu',
      'dropout d/dropout',
      'reshape head/reshape',
      'fully_connected scores',
    ]);
    expect(
      variablesOf(graph).map(({ name, type, source }) => [name, type.shape, source.role, source.trainable]),
    ).toEqual([
      ['stem/conv/filter', [5, 3, 3, 2], 'weight', true],
      ['stem/bn/gamma', [5], 'gamma', true],
      ['stem/bn/beta', [5], 'beta', true],
      ['stem/bn/moving_mean', [5], 'moving_mean', false],
      ['stem/bn/moving_variance', [5], 'moving_variance', false],
      ['head/filter', [3, 120], 'weight', true],
      ['head/bias', [3], 'bias', true],
    ]);
    expect(notes).toEqual(['The input "image" [1,2,4,6] is [1,4,6,2] here: channels come last.']);
  });

  it('has its flattened weights in our order of pixels and channels', () => {
    const { graph } = readOnnx(writeOnnx(classifier), 'a.onnx');
    const { data } = parameterOf(graph, 'head/filter');
    // By hand: pixel (1, 2), channel 3 is element (1 * 6 + 2) * 5 + 3 of ours, and 3 * 24 + 1 * 6 + 2 of ONNX's.
    expect(data[43]).toBeCloseTo(0.3 * Math.sin(80 * 1.7 + 2), 6);
  });

  it('takes the bias of the next node, and only where nothing else reads the product', () => {
    const product = { op: 'MatMul', inputs: ['x', 'w'], outputs: ['p'] };
    const sum = { op: 'Add', inputs: ['b', 'p'], outputs: ['y'] };
    const model = {
      inputs: { x: [1, 4] },
      outputs: ['y'],
      nodes: [product, sum],
      weights: { w: weights([4, 3]), b: weights([3]) },
    };
    expect(nodesOf(model)).toEqual(['fully_connected y']);
    expect(nodesOf({ ...model, outputs: ['y', 'p'] })).toEqual(['fully_connected p', 'add y']);
  });

  it('loses the transposes that exporters write around layers, and keeps one of its own', () => {
    const around: WrittenModel = {
      inputs: { x: [1, 4, 6, 2] },
      outputs: ['y'],
      weights: { w: weights([3, 2, 1, 1]) },
      nodes: [
        { op: 'Transpose', inputs: ['x'], outputs: ['a'], attributes: { perm: [0, 3, 1, 2] } },
        { op: 'Conv', inputs: ['a', 'w'], outputs: ['b'] },
        { op: 'Transpose', inputs: ['b'], outputs: ['y'], attributes: { perm: [0, 2, 3, 1] } },
      ],
    };
    expect(nodesOf(around)).toEqual(['conv_2d y']);
    const own = { op: 'Transpose', inputs: ['x'], outputs: ['a'], attributes: { perm: [0, 3, 2, 1] } };
    expect(nodesOf({ ...around, nodes: [own, ...around.nodes.slice(1)] }).map((text) => text.split(' ')[0])).toEqual([
      'transpose',
      'conv_2d',
    ]);
  });

  it.each<readonly [nodes: readonly WrittenNode[], ops: readonly string[]]>([
    [[{ op: 'Clip', inputs: ['x', 'zero', 'six'], outputs: ['y'] }], ['relu6']],
    [
      [
        { op: 'Relu', inputs: ['x'], outputs: ['r'] },
        { op: 'Min', inputs: ['six', 'r'], outputs: ['y'] },
      ],
      ['relu6'],
    ],
    [[{ op: 'Max', inputs: ['x', 'zero'], outputs: ['y'] }], ['relu']],
  ])('clips as few ops can: %#', (nodes, ops) => {
    const limits = { zero: { shape: [], dataType: 1, floats: [0] }, six: { shape: [], dataType: 1, floats: [6] } };
    const model = { inputs: { x: [1, 5] }, outputs: ['y'], nodes, weights: limits };
    expect(readOnnx(writeOnnx(model), 'a.onnx').graph.nodes.map(({ op }) => op)).toEqual(ops);
  });

  it('reads every type of weights, and says what it converted', async () => {
    const shape = [2, 2];
    const bytes = (data: Uint8Array | Uint16Array | Float64Array): Uint8Array => new Uint8Array(data.buffer);
    // 1, -2, 0.5 and the smallest subnormal, of which float32 keeps all.
    const tensors: readonly (readonly [WrittenTensor, readonly number[]])[] = [
      [{ shape, dataType: 10, raw: bytes(Uint16Array.of(0x3c00, 0xc000, 0x3800, 1)) }, [1, -2, 0.5, 2 ** -24]],
      [{ shape, dataType: 11, raw: bytes(Float64Array.of(1, -2, 0.5, 3)) }, [1, -2, 0.5, 3]],
      [{ shape, dataType: 16, raw: bytes(Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0)) }, [1, -2, 0.5, 0]],
      [{ shape, dataType: 1, floats: [1, -2, 0.5, 3] }, [1, -2, 0.5, 3]],
    ];
    for (const [tensor, [a = 0, b = 0, c = 0, d = 0]] of tensors) {
      const model = alone({ op: 'MatMul', inputs: ['x', 'w'] }, [1, 2], { w: tensor });
      const { graph, notes } = readOnnx(writeOnnx(model), 'a.onnx');
      const [step] = await runSteps(graph, [new Map([['x', Float32Array.of(1, 10)]])]);
      expect(step?.outputs.get('y')).toEqual(floatTensor([2], [a + 10 * c, b + 10 * d]).data);
      expect(notes.length).toBe(tensor.dataType === 1 ? 0 : 1);
    }
  });

  it('takes whole numbers as floats', () => {
    const model = { ...alone({ op: 'Cast', inputs: ['x'], attributes: { to: 1 } }, ['n', 8, 8, 3]), inputType: 2 };
    const relu = { op: 'Relu', inputs: ['y'], outputs: ['z'] };
    const { notes } = readOnnx(writeOnnx({ ...model, nodes: [...model.nodes, relu], outputs: ['z'] }), 'a.onnx');
    expect(notes).toEqual(['The input "x" was uint8 and takes the same numbers as float32.']);
  });
});

describe('what cannot be imported', () => {
  it('is listed all at once, with the place, the op and what to do', () => {
    const model: WrittenModel = {
      inputs: { x: [1, 2, 4, 4] },
      outputs: ['y'],
      nodes: [
        { op: 'Erf', name: 'gelu', inputs: ['x'], outputs: ['a'] },
        { op: 'Conv', name: 'conv', inputs: ['a', 'w'], outputs: ['b'] },
        { op: 'FusedThing', name: 'own', domain: 'com.example', inputs: ['b'], outputs: ['c'] },
        {
          op: 'MaxPool',
          name: 'pool',
          inputs: ['x'],
          outputs: ['d'],
          attributes: { kernel_shape: [2, 2], dilations: [2, 2] },
        },
        { op: 'Add', inputs: ['c', 'd'], outputs: ['y'] },
      ],
      weights: { w: weights([3, 2, 1, 1]) },
    };
    const problems = problemsOf(model);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toMatch(
      /^node 0 "gelu" \(Erf\): no op or layer of qpipe does what Erf does; .*Relu or HardSwish/,
    );
    expect(problems[1]).toMatch(
      /^node 2 "own" \(FusedThing\): it is of the domain "com.example"; expected ONNX's own ops/,
    );
    expect(problems[2]).toMatch(/^node 3 "pool" \(MaxPool\): its dilations are not 1/);
  });

  it.each<readonly [model: WrittenModel, wanted: RegExp]>([
    [{ ...classifier, opset: 11 }, /opset "11"; expected 13 to 21 .*convert_version/],
    [{ ...classifier, opset: 22 }, /opset "22"; expected 13 to 21/],
    [{ ...classifier, inputs: { image: [8, 2, 4, 6] } }, /"image" is \[8,2,4,6\]; expected a batch of 1/],
    [
      { ...classifier, inputs: { image: ['batch', 2, 'height', 6] } },
      /"height" is not fixed.*make_dynamic_shape_fixed/,
    ],
    [alone({ op: 'LSTM', inputs: ['x', 'w'] }, [1, 4, 2], { w: weights([1]) }), /node 0 "y" \(LSTM\).*Conv along time/],
    [alone({ op: 'MatMul', inputs: ['x', 'x'] }, [1, 4, 4]), /product of two computed values/],
    [alone({ op: 'Div', inputs: ['x', 'x'] }, [1, 4]), /divides by a computed value/],
    [
      alone({ op: 'Conv', inputs: ['x', 'x'] }, [1, 2, 4, 4]),
      /input 1 "x" is computed by the network; expected a constant/,
    ],
    [
      alone({ op: 'Conv', inputs: ['x', 'w'] }, [1, 2, 4, 4], { w: weights([3, 5, 1, 1]) }),
      /its weights "w" are \[3,5,1,1\] in 1 groups; its input has 2 channels/,
    ],
    [
      alone({ op: 'Resize', inputs: ['x', '', 's'], attributes: { mode: 'cubic' } }, [1, 1, 4, 4], {
        s: { shape: [4], dataType: 1, floats: [1, 1, 2, 2] },
      }),
      /its attribute "mode" is "cubic"; expected "nearest" or "linear"/,
    ],
    [alone({ op: 'Reshape', inputs: ['x', 's'] }, [1, 4], { s: integers(3, -1) }), /reshapes \[1,4\] to \[3,1\.3/],
    [
      alone({ op: 'Relu', inputs: ['nothing'] }, [1, 4]),
      /node 0 "y" \(Relu\): it reads "nothing", which nothing before it makes/,
    ],
    [
      alone({ op: 'Identity', inputs: ['w'] }, [1, 4], { w: weights([3]) }),
      /the output "y" does not depend on an input/,
    ],
    [
      alone({ op: 'MatMul', inputs: ['x', 'w'] }, [1, 2], { w: { shape: [2, 2], dataType: 1, floats: [1] } }),
      /"w" is \[2,2\] and has 1 values; expected 4/,
    ],
    [
      alone({ op: 'MatMul', inputs: ['x', 'w'] }, [1, 2], { w: { shape: [2, 2], dataType: 8 } }),
      /"w" is of data type 8; expected numbers/,
    ],
    [alone({ op: 'QuantizeLinear', inputs: ['x', 's'] }, [1, 2], { s: weights([1]) }), /import the float model/],
  ])('%#', (model, wanted) => expect(problemsOf(model).join('\n')).toMatch(wanted));
});

describe('a file that asks for more than it can mean', () => {
  const huge = integers(1 << 20, 1 << 20);
  it.each([
    alone({ op: 'Tile', inputs: ['x', 's'] }, [1, 4], { s: integers(1, 1e9) }),
    alone({ op: 'Pad', inputs: ['x', 's'] }, [1, 4], { s: integers(0, 0, 0, 2 ** 40) }),
    alone({ op: 'Expand', inputs: ['x', 's'] }, [1, 1], { s: huge }),
    {
      ...alone({ op: 'Add', inputs: ['x', 'c'] }, [1, 4]),
      nodes: [
        { op: 'ConstantOfShape', inputs: ['s'], outputs: ['c'] },
        { op: 'Add', inputs: ['x', 'c'], outputs: ['y'] },
      ],
      weights: { s: huge },
    },
  ] satisfies readonly WrittenModel[])('is refused: %#', (model) => expect(problemsOf(model)).toHaveLength(1));
});

describe('weights in files beside the model', () => {
  let folder = '';
  const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const withData = (external: { readonly [key: string]: string }): WrittenModel =>
    alone({ op: 'MatMul', inputs: ['x', 'w'] }, [1, 2], { w: { shape: [2, 2], dataType: 1, external } });
  const write = (model: WrittenModel): string => {
    const path = join(folder, 'model', 'a.onnx');
    writeFileSync(path, writeOnnx(model));
    return path;
  };
  const refusal = async (external: { readonly [key: string]: string }): Promise<string> =>
    onnx.read(write(withData(external))).then(
      () => 'imported',
      (error: unknown) => (error instanceof UserError ? error.message : `no diagnostic: ${String(error)}`),
    );

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'qpipe-onnx-'));
    mkdirSync(join(folder, 'model', 'parts'), { recursive: true });
    writeFileSync(join(folder, 'secret.bin'), new Uint8Array(values.buffer));
    writeFileSync(join(folder, 'model', 'parts', 'w.bin'), new Uint8Array(values.buffer));
    symlinkSync(join(folder, 'secret.bin'), join(folder, 'model', 'link.bin'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are read, and are files of the model', async () => {
    const path = write(withData({ location: 'parts/w.bin', offset: '16', length: '16' }));
    expect(onnx.files(path)).toEqual([path, join(folder, 'model', 'parts', 'w.bin')]);
    const { graph } = await onnx.read(path);
    expect([...parameterOf(graph, 'y/filter').data]).toEqual([5, 7, 6, 8]);
  });

  it.each([
    [{ location: '../secret.bin' }, 'expected a file in its own folder'],
    [{ location: '/etc/passwd' }, 'expected a file in its own folder'],
    [{ location: 'parts/../../secret.bin' }, 'expected a file in its own folder'],
    [{ location: '' }, 'expected a file in its own folder'],
    [{ location: 'link.bin' }, 'a link out of its own folder'],
    [{ location: 'missing.bin' }, 'not beside it'],
    [{ location: 'parts/w.bin', offset: '24', length: '16' }, 'which has 32'],
    [{ location: 'parts/w.bin', offset: '-8', length: '16' }, 'which has 32'],
    [{ location: 'parts/w.bin', offset: '0', length: '9e15' }, 'which has 32'],
    [{ location: 'parts/w.bin' }, 'has 8 values; expected 4'],
  ])('are refused: %o', async (external, wanted) => expect(await refusal(external)).toContain(wanted));

  it('belong to a file that is known by its content', () => {
    const bytes = writeOnnx(classifier);
    const path = join(folder, 'renamed.bin');
    writeFileSync(path, bytes);
    expect(importerOf(modelPath(path))?.name).toBe('onnx');
    // A SavedModel begins with version 1.
    writeFileSync(path, Uint8Array.of(0x08, 0x01, 0x12, ...bytes.subarray(3)));
    expect(importerOf(modelPath(path))?.name).not.toBe('onnx');
  });
});
