import { describe, expect, it } from 'vitest';
import { decodeMetadata, encodeMetadata, modelMetadata } from '../../src/models/metadata.ts';
import { dense, network } from './networks.ts';

const spec = network([dense('logits', 3)]);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('the metadata of a model', () => {
  it('name the classes in the order of the outputs, whatever letters they have', () => {
    const metadata = modelMetadata({ ...spec, classes: ['10', 'naïve', '猫'] });
    expect(metadata.outputs).toEqual([{ task: 'classify', classes: ['10', 'naïve', '猫'] }]);
    expect(decodeMetadata(encodeMetadata(metadata))).toEqual(metadata);
  });

  it('say how measured values become inputs and outputs become targets', () => {
    const channels = [{ name: 'x', mean: 124.5, deviation: 855.25 }];
    const targets = [{ name: 'progression', mean: 150, deviation: 77 }];
    const metadata = modelMetadata({
      ...{ ...spec, task: 'regress', classes: [], channels, targets, normalize: { min: -3, max: 4 } },
      decoding: { audio: { rate: 8000 } },
    });
    expect(text(encodeMetadata(metadata))).toBe(
      '{"version":1,"input":{"kind":"values","channels":[{"name":"x","mean":124.5,"deviation":855.25}]},' +
        '"decoding":{"audio":{"rate":8000}},' +
        '"outputs":[{"task":"regress","targets":[{"name":"progression","mean":150,"deviation":77}]}]}',
    );
  });

  it('say what the model does with raw pixels', () => {
    const pixels = [{ name: 'red', mean: 123.675, deviation: 58.395 }];
    const { input } = modelMetadata({ ...spec, normalize: { scale: 0.5, mean: 3 }, pixels });
    expect(input).toEqual({ kind: 'pixels', scale: 0.5, mean: 3, channels: pixels });
    expect(decodeMetadata(encodeMetadata(modelMetadata({ ...spec, pixels })))?.input).toMatchObject({
      channels: pixels,
    });
  });

  it.each(['', '{', 'null', '{"version":2}', '\u{fffd}', '{"version":1,"input":{"kind":"pixels"},"outputs":[]}'])(
    'are not read from %j, which is of another form',
    (other) => expect(decodeMetadata(new TextEncoder().encode(other))).toBeNull(),
  );
});
