import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import { buildModel } from '../../src/models/build.ts';
import type { Layer } from '../../src/models/layers.ts';
import { batchNormsAlone } from '../../src/models/standing-alone.ts';
import { add, conv, dense, infer, network, pool, scattered, uniform } from './networks.ts';

const norm = (name: string, input?: string): Layer => ({
  ...{ kind: 'batch_norm', name },
  ...(input === undefined ? {} : { input }),
});
const linear = { activation: 'none' } as const;

describe('a batch_norm layer', () => {
  const cases: readonly (readonly [title: string, layers: readonly Layer[], alone: readonly string[]])[] = [
    ['goes into the convolution before it', [conv('a', 4, 3, linear), norm('n')], []],
    ['goes into the dense layer that it names', [dense('a', 4), norm('n'), norm('m', 'n')], ['m']],
    ['stands alone on the input', [norm('n'), conv('a', 4, 3)], ['n']],
    ['stands alone behind an activation', [conv('a', 4, 3), norm('n')], ['n']],
    [
      'stands alone behind a batch norm of the layer',
      [conv('a', 4, 3, { ...linear, batch_norm: true }), norm('n')],
      ['n'],
    ],
    ['stands alone behind a pool', [conv('a', 4, 3, linear), pool('max_pool_2d', 'p'), norm('n')], ['n']],
    ['stands alone where others read the convolution', [conv('a', 4, 3, linear), norm('n'), add('s', 'a')], ['n']],
    [
      'and another of one convolution both stand alone',
      [conv('a', 4, 3, linear), norm('n'), norm('m', 'a'), add('s', 'n')],
      ['n', 'm'],
    ],
    [
      'stands alone where a concatenation reads the convolution',
      [conv('a', 4, 3, linear), norm('n'), { kind: 'concatenation', name: 'c', with: ['a'], axis: -1 }],
      ['n'],
    ],
  ];
  it.each(cases)('%s', (_, layers, alone) => expect([...batchNormsAlone(layers)]).toEqual(alone));
});

describe('a batch norm that stands alone', () => {
  // Keras's epsilon.
  const epsilon = 1e-3;

  it.each([
    ['images', [3, 4, 5], []],
    ['rows', [2, 3, 4], [{ kind: 'flatten', name: 'flat' }]],
    ['steps', [2, 3, 4], [{ kind: 'reshape', name: 'steps', shape: [6, 4] }]],
  ] as const)('normalizes each channel of %s by its statistics', async (_, image, before) => {
    const spec = network([...before, norm('n')], image);
    const tensor = scattered(5);
    const graph = buildModel(spec, 2, { kind: 'given', tensor });
    const input = uniform(createRandom(1, 'input'), [2, ...image]).data;
    const output = await infer(graph, input);
    const channels = before.some(({ kind }) => kind === 'flatten') ? numElements(image) : image[2];
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map(
      (name) => tensor(`n/${name}`, [channels]).data,
    );
    expect(output).toHaveLength(input.length);
    input.forEach((x, at) => {
      const channel = at % channels;
      const expected =
        ((x - mean![channel]!) / Math.sqrt(variance![channel]! + epsilon)) * gamma![channel]! + beta![channel]!;
      expect(output[at]).toBeCloseTo(expected, 5);
    });
  });
});
