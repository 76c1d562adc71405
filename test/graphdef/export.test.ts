import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { expectDType, floatTensor } from '../../src/core/tensor.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { float32 } from '../../src/ops/define.ts';
import { evalPasses, freezePasses, runPasses, trainedRanges } from '../../src/passes/index.ts';
import type { GraphDef, NodeDef } from '../../src/formats/protobuf/graph-def.ts';
import { readGraphDef, writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { conv, dense, infer, network, scattered, uniform } from '../models/networks.ts';
import { everyLayer } from '../tflite/lowered.ts';
import { buildModel } from '../models/forms.ts';

const layers = [...everyLayer, { kind: 'softmax', name: 'softmax' } as const];

function evalGraph(of: Parameters<typeof network>[0] = layers): Graph {
  const tensor = scattered(3);
  const model = buildModel(network(of), 1, 'inference', { kind: 'given', tensor });
  return runPasses(model, evalPasses({ ranges: trainedRanges(tensor), input: { min: 0, max: 1 } }));
}

const named = (graph: GraphDef, name: string): NodeDef => graph.nodes.find((node) => node.name === name)!;
const attribute = (node: NodeDef, name: string) => node.attributes.get(name);
const text = (value: string) => ({ kind: 'bytes', value: new TextEncoder().encode(value) });

describe('an exported graph', () => {
  const { graphDef, variables } = exportGraphDef(
    evalGraph([conv('conv1', 2, 3, { stride: [2, 1] }), dense('logits', 3)]),
  );

  it('is TensorFlow nodes under our names, biases as BiasAdd, an Identity `output` at the end', () => {
    const computing = graphDef.nodes.filter(({ op }) => !['Const', 'VarHandleOp', 'ReadVariableOp'].includes(op));
    expect(computing.map(({ op, name, inputs }) => [op, name, ...inputs])).toEqual([
      ['Placeholder', 'input'],
      ['FakeQuantWithMinMaxVars', 'input_quant/fake_quant', 'input', 'input_quant/min', 'input_quant/max'],
      [
        'FakeQuantWithMinMaxVarsPerChannel',
        'conv1/weights_quant/fake_quant',
        'conv1/filter/Read/ReadVariableOp',
        'conv1/weights_quant/min/Read/ReadVariableOp',
        'conv1/weights_quant/max/Read/ReadVariableOp',
      ],
      ['Conv2D', 'conv1/conv_2d/Conv2D', 'input_quant/fake_quant', 'conv1/weights_quant/fake_quant'],
      ['BiasAdd', 'conv1/conv_2d', 'conv1/conv_2d/Conv2D', 'conv1/bias/Read/ReadVariableOp'],
      ['Relu', 'conv1/relu', 'conv1/conv_2d'],
      [
        'FakeQuantWithMinMaxVars',
        'conv1/act_quant/fake_quant',
        'conv1/relu',
        'conv1/act_quant/min/Read/ReadVariableOp',
        'conv1/act_quant/max/Read/ReadVariableOp',
      ],
      ['Reshape', 'logits/reshape', 'conv1/act_quant/fake_quant', 'logits/reshape/shape'],
      [
        'FakeQuantWithMinMaxVarsPerChannel',
        'logits/weights_quant/fake_quant',
        'logits/filter/Read/ReadVariableOp',
        'logits/weights_quant/min/Read/ReadVariableOp',
        'logits/weights_quant/max/Read/ReadVariableOp',
      ],
      ['MatMul', 'logits/fully_connected/MatMul', 'logits/reshape', 'logits/weights_quant/fake_quant'],
      ['BiasAdd', 'logits/fully_connected', 'logits/fully_connected/MatMul', 'logits/bias/Read/ReadVariableOp'],
      [
        'FakeQuantWithMinMaxVars',
        'logits/act_quant/fake_quant',
        'logits/fully_connected',
        'logits/act_quant/min/Read/ReadVariableOp',
        'logits/act_quant/max/Read/ReadVariableOp',
      ],
      ['Identity', 'output', 'logits/act_quant/fake_quant'],
    ]);
  });

  it('has TensorFlow’s attributes', () => {
    const ints = (values: number[]) => ({ kind: 'list', values: { of: 'int', values } });
    const convolution = named(graphDef, 'conv1/conv_2d/Conv2D');
    expect(attribute(convolution, 'strides')).toEqual(ints([1, 2, 1, 1]));
    expect(attribute(convolution, 'dilations')).toEqual(ints([1, 1, 1, 1]));
    expect(attribute(convolution, 'padding')).toEqual(text('SAME'));
    expect(attribute(convolution, 'T')).toEqual({ kind: 'type', value: 'float32' });
    const weights = named(graphDef, 'conv1/weights_quant/fake_quant');
    expect(attribute(weights, 'num_bits')).toEqual({ kind: 'int', value: 8 });
    expect(attribute(weights, 'narrow_range')).toEqual({ kind: 'bool', value: true });
    const activation = named(graphDef, 'conv1/act_quant/fake_quant');
    expect(attribute(activation, 'narrow_range')).toEqual({ kind: 'bool', value: false });
    // The batch is unknown: a checkpointed graph runs with any.
    expect(attribute(named(graphDef, 'input'), 'shape')).toEqual({ kind: 'shape', value: [-1, 6, 6, 2] });
    expect(attribute(named(graphDef, 'conv1/filter'), 'shape')).toEqual({ kind: 'shape', value: [3, 3, 2, 2] });
    expect(attribute(named(graphDef, 'conv1/filter'), 'shared_name')).toEqual(text('conv1/filter'));
  });

  it('keeps variables out of the graph, one for each VarHandleOp', () => {
    const handles = graphDef.nodes.filter(({ op }) => op === 'VarHandleOp').map(({ name }) => name);
    expect([...variables.keys()]).toEqual(handles);
    expect(variables.get('logits/filter')?.shape).toEqual([36, 3]);
    expect(variables.get('conv1/weights_quant/max')?.shape).toEqual([2]);
  });
});

describe('layouts', () => {
  it('of filters are HWIO and [in, out], their ranges per channel on the last axis', () => {
    const builder = buildGraph('layouts', 'eval');
    const count = (shape: readonly number[]) =>
      floatTensor(
        shape,
        shape.reduce<number[]>(
          (all, size) => all.flatMap((x) => Array.from({ length: size }, (_, i) => x * size + i)),
          [0],
        ),
      );
    const bound = (name: string, values: readonly number[]) => builder.constant(name, floatTensor([2], values));
    const input = builder.input('input', float32([1, 1, 2, 2]));
    // OHWI [2,1,2,2]: 0 .. 7.
    const filter = builder.constant('filter', count([2, 1, 2, 2]));
    const [rounded] = builder.node('fake_quant', 'rounded', [filter, bound('min', [-3, -7]), bound('max', [3, 7])], {
      bits: 8,
      narrowRange: true,
      axis: 0,
    });
    const [convolved] = builder.node('conv_2d', 'convolved', [input, rounded!], {
      strides: [1, 1],
      dilations: [1, 1],
      padding: { kind: 'valid' },
      activation: 'none',
    });
    const [flat] = builder.node('reshape', 'flat', [convolved!], { shape: [-1, 2] });
    const dense = builder.constant('dense', floatTensor([3, 2], [0, 1, 2, 3, 4, 5]));
    const graph = builder.finish(
      builder.node('fully_connected', 'fc', [flat!, dense], { activation: 'none', keepNumDims: false }),
    );
    const { graphDef } = exportGraphDef(graph);
    const constant = (name: string) => {
      const value = attribute(named(graphDef, name), 'value');
      if (value?.kind !== 'tensor' || value.value.kind !== 'numeric') throw new Error(name);
      return { shape: value.value.tensor.shape, values: Array.from(value.value.tensor.data, Number) };
    };
    expect(constant('filter')).toEqual({ shape: [1, 2, 2, 2], values: [0, 4, 1, 5, 2, 6, 3, 7] });
    expect(constant('dense')).toEqual({ shape: [2, 3], values: [0, 2, 4, 1, 3, 5] });
    expect(constant('min')).toEqual({ shape: [2], values: [-3, -7] });
    expect(named(graphDef, 'rounded').op).toBe('FakeQuantWithMinMaxVarsPerChannel');

    // And back: our layout, the first axis.
    const back = importGraphDef(graphDef, new Map(), 'layouts.pb');
    const { source } = valueOf(back, 'filter');
    expect(source.kind === 'constant' && [...expectDType(source.data, 'float32').data]).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect(back.nodes.find(({ op }) => op === 'fake_quant')?.attrs).toEqual({ bits: 8, narrowRange: true, axis: 0 });
  });
});

describe('a graph that was exported, written, read and imported', () => {
  const graph = evalGraph();
  const input = uniform(createRandom(2), [1, 6, 6, 2], 0, 1).data;

  it('gives the same results to the bit, and verifies', async () => {
    const { graphDef, variables } = exportGraphDef(graph);
    const back = verify(importGraphDef(readGraphDef(writeGraphDef(graphDef), 'e.pb'), variables, 'e.pb'));
    expect(back.level).toBe('eval');
    expect(back.nodes.filter(({ op }) => op === 'fake_quant')).toHaveLength(
      graph.nodes.filter(({ op }) => op === 'fake_quant').length,
    );
    expect([...(await infer(back, input))]).toEqual([...(await infer(graph, input))]);
  });

  it('keeps the names of nodes, so that layers can be told apart after conversion', () => {
    const { graphDef, variables } = exportGraphDef(graph);
    const back = importGraphDef(graphDef, variables, 'e.pb');
    expect(new Set(back.nodes.map(({ name }) => name))).toEqual(new Set(graph.nodes.map(({ name }) => name)));
  });

  it('holds no variable once it is frozen', async () => {
    const frozen = runPasses(graph, freezePasses);
    const { graphDef, variables } = exportGraphDef(frozen);
    expect(variables.size).toBe(0);
    expect(graphDef.nodes.some(({ op }) => /^Var|Variable|BatchNorm/.test(op))).toBe(false);
    const back = importGraphDef(graphDef, new Map(), 'f.pb');
    expect([...(await infer(back, input))]).toEqual([...(await infer(frozen, input))]);
  });
});
