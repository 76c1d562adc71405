// A graph that was written and read again is the same graph, whatever network it is of, and a file that was changed on
// the way is a mistake with a name.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { printGraph } from '../../src/graph/print.ts';
import { readGraph, serializeGraph } from '../../src/graph/serialize.ts';
import { newModel } from '../../src/models/build.ts';
import { decodeModelFile, encodeModelFile } from '../../src/training/checkpoint.ts';
import { conv, dense, network } from '../models/networks.ts';
import { namedNetworks, randomNetwork, randomSeriesNetwork } from '../oracle/random-networks.ts';

const random = createRandom(11);
const networks = [
  ...namedNetworks,
  {
    ...network([
      conv('conv1', 4, 3, { batch_norm: true }),
      { kind: 'dropout', name: 'drop', rate: 0.3 },
      dense('d', 3),
    ]),
    name: 'dropout',
  },
  // By channel, so that constants are in the graph.
  {
    ...network([conv('conv1', 4, 3), dense('d', 3)], [6, 6, 3]),
    pixels: [10, 20, 30].map((mean, index) => ({ name: `c${index}`, mean, deviation: 40 + mean })),
    name: 'pixels',
  },
  ...Array.from({ length: 40 }, (_, index) => ({ ...randomNetwork(random), name: `random ${index}` })),
  ...Array.from({ length: 20 }, (_, index) => ({ ...randomSeriesNetwork(random), name: `series ${index}` })),
];

const parametersOf = (graph: Graph) =>
  [...graph.values.values()].flatMap(({ name, source }) =>
    source.kind === 'constant' || source.kind === 'variable' ? [[name, source] as const] : [],
  );

describe('a graph that is written and read again', () => {
  it.each(networks)('is the same: $name', (spec) => {
    const { graph } = newModel(spec, 3);
    const { json, tensors } = serializeGraph(graph);
    const again = readGraph(JSON.parse(JSON.stringify(json)), tensors, 'm');
    expect(printGraph(again)).toBe(printGraph(graph));
    expect(again.nodes).toEqual(graph.nodes);
    // In the same order, which decides the order in files.
    expect(parametersOf(again)).toEqual(parametersOf(graph));
    for (const { outputs } of graph.nodes) {
      for (const name of outputs) expect(valueOf(again, name)).toEqual(valueOf(graph, name));
    }
  });

  it('keeps a variable that is not to be trained, and an owner', () => {
    const { graph } = newModel(networks[0]!, 3);
    const { json, tensors } = serializeGraph(graph);
    const [first, ...others] = json.parameters;
    const changed = { ...json, parameters: [{ ...first, trainable: false, owner: 'someone' }, ...others] };
    const source = valueOf(readGraph(changed, tensors, 'm'), first!.name).source;
    expect(source).toMatchObject({ trainable: false, owner: 'someone' });
  });
});

describe('what is no graph', () => {
  const { graph } = newModel(network([conv('conv1', 4, 3), dense('d', 3)]), 3);
  const { json, tensors } = serializeGraph(graph);
  const node = json.nodes[0]!;

  it.each([
    ['another form', null, 'its graph is not in the form of this version'],
    ['a parameter of no role', { parameters: [{ ...json.parameters[0], role: 'wheel' }] }, 'is not in the form'],
    ['an op of another version', { nodes: [{ ...node, op: 'conv_9d' }] }, 'is of op conv_9d, which this version'],
    ['an op by the name of an object’s own', { nodes: [{ ...node, op: 'toString' }] }, 'is of op toString'],
    ['a node that reads nothing', { nodes: [{ ...node, inputs: ['nobody'] }] }, 'has no value "nobody"'],
    ['attributes of another op', { nodes: [{ ...node, attrs: {} }] }, 'its graph does not fit together'],
    ['another shape', { inputs: [{ name: 'input', shape: [1, 6, 6, 9] }] }, 'its graph does not fit together'],
    ['an output that nothing makes', { outputs: ['nobody'] }, 'has no value "nobody"'],
    ['a parameter without a tensor', { parameters: [{ name: 'ghost', kind: 'constant' }] }, 'has no tensor "ghost"'],
  ])('is named: %s', (_, change, message) => {
    const changed = change === null ? null : { ...json, ...change };
    expect(() => readGraph(changed, tensors, 'm.safetensors')).toThrow(UserError);
    expect(() => readGraph(changed, tensors, 'm.safetensors')).toThrow(message);
  });
});

describe('a model file that was damaged', () => {
  const model = newModel(network([conv('conv1', 4, 3, { batch_norm: true }), dense('d', 3)]), 3);
  const bytes = encodeModelFile({ level: 'float', ...model, tensors: new Map() });
  const headerEnd = 8 + new DataView(bytes.buffer).getUint32(0, true);

  it('gives a message for a changed byte of its header, or the same model', () => {
    const draw = createRandom(5, 'damage');
    const outcomes = { refused: 0, same: 0 };
    for (let round = 0; round < 3000; round++) {
      const damaged = bytes.slice();
      damaged[draw.below(headerEnd)]! ^= 1 << draw.below(8);
      try {
        const read = decodeModelFile(damaged, 'm');
        // Spaces at the end of the header, or the name of a tensor that the graph does not need, may change.
        expect(printGraph(read.graph)).toBe(printGraph(model.graph));
        outcomes.same++;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        outcomes.refused++;
      }
    }
    expect(outcomes.refused).toBeGreaterThan(2900);
  });

  it('gives a message wherever it ends', () => {
    for (let end = 0; end < bytes.length; end += 97) {
      expect(() => decodeModelFile(bytes.subarray(0, end), 'm')).toThrow(UserError);
    }
  });
});
