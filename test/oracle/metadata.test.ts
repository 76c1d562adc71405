/** TensorFlow reads the metadata that we write, and runs a model with them as it runs the same model without. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import { encodeMetadata, metadataName, modelMetadata } from '../../src/models/metadata.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { dense, network } from '../models/networks.ts';
import { lowered } from '../tflite/lowered.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';

describe.skipIf(!hasOracle)('metadata', { timeout: 300_000 }, () => {
  let oracle: Oracle;
  beforeAll(() => (oracle = openOracle()));
  afterAll(() => oracle.close());

  it('are what TensorFlow finds, and change no answer', async () => {
    const spec = { ...network([dense('logits', 3)]), classes: ['a', 'é', '猫'] };
    const { graph, bytes } = lowered(spec.layers);
    const entry = encodeMetadata(modelMetadata(spec));
    const model = writeTflite(graph, new Map([[metadataName, entry]]));
    const found = (await oracle.evaluate('metadata_of(model)', { model })) as Record<string, Uint8Array>;
    expect(Object.keys(found)).toEqual(['min_runtime_version', 'qpipe']);
    expect(Buffer.from(expectBytes(found['qpipe'])).toString()).toContain('"classes":["a","é","猫"]');
    const codes = Int8Array.from({ length: 72 }, (_, at) => ((at * 37) % 256) - 128);
    const runs = [[tensor('int8', [1, 6, 6, 2], codes)]];
    const [a, b] = await Promise.all(
      [bytes, model].map((each) => oracle.evaluate('run_tflite(model, runs)', { model: each, runs })),
    );
    expect(a).not.toBeNull();
    expect(b).toEqual(a);
  });
});
