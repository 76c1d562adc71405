import { describe, expect, it } from 'vitest';
import type { SavedModel } from '../../../src/formats/protobuf/saved-model.ts';
import { readSavedModel, writeSavedModel } from '../../../src/formats/protobuf/saved-model.ts';
import { bytes, savedModel } from './fixtures.ts';

const expected: SavedModel = {
  tags: ['serve'],
  graph: {
    versions: { producer: 1087, minConsumer: 12 },
    functionNames: [],
    nodes: [
      {
        name: 'x',
        op: 'Placeholder',
        inputs: [],
        device: '',
        attributes: new Map([['dtype', { kind: 'type', value: 'float32' }]]),
      },
    ],
  },
  signatures: new Map([
    [
      'serving_default',
      {
        inputs: new Map([['x', { name: 'x:0', type: 'float32', shape: [-1, 784] }]]),
        outputs: new Map([['loss', { name: 'loss:0', type: 'float32', shape: [] }]]),
        methodName: 'tensorflow/serving/predict',
      },
    ],
    [
      'init',
      {
        inputs: new Map(),
        outputs: new Map([['done', { name: 'done:0', type: 'int32', shape: null }]]),
        methodName: '',
      },
    ],
  ]),
};

describe('SavedModel', () => {
  it('reads what Google’s protobuf wrote', () => {
    expect(readSavedModel(savedModel, 'saved_model.pb')).toEqual(expected);
  });

  it('writes the same bytes, with the shape of a scalar present', () => {
    expect(Buffer.from(writeSavedModel(expected)).toString('hex')).toBe(Buffer.from(savedModel).toString('hex'));
  });

  it.each([
    ['no graph', '0801', 'has 0 graphs, expected 1'],
    ['two graphs', '0801 1200 1200', 'has 2 graphs, expected 1'],
    ['an empty graph', '1202 1200', 'the graph has no nodes'],
    ['a graph entry that is missing', '1200', 'the model has no graph'],
  ])('refuses %s', (_what, hex, message) => {
    expect(() => readSavedModel(bytes(hex), 'saved_model.pb')).toThrow(message);
  });
});
