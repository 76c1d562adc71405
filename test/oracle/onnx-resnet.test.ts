/** MLPerf Tiny's image classifier as two ONNX files of the same Keras weights. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import { readOnnx } from '../../src/importers/onnx/read.ts';
import { floatOf } from './closeness.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';
import { IMAGES, countRight, hasImages, kerasModel, outputsOf, testImages } from './resnet-images.ts';

describe.skipIf(!hasOracle || !hasImages)('a Keras model exported to ONNX', { timeout: 300_000 }, () => {
  let oracle: Oracle;
  let expected = new Float32Array();
  const { images, classes } = hasOracle && hasImages ? testImages() : { images: new Float32Array(), classes: [] };
  beforeAll(async () => {
    oracle = openOracle();
    const given = tensor('float32', [IMAGES, 32, 32, 3], images);
    const outputs = await oracle.evaluate('onnx_exports.keras_outputs(path, images)', {
      path: kerasModel,
      images: given,
    });
    expected = Float32Array.from(floatOf(outputs).data);
  }, 300_000);
  afterAll(() => oracle.close());

  it.each([
    ['tf2onnx', 'onnx_exports.by_tf2onnx(path, 15)'],
    ['channels first, batch norm on its own', 'onnx_exports.channels_first(path, 17)'],
  ])('by %s has no transposes and gives what Keras gives', async (_, expression) => {
    const bytes = expectBytes(await oracle.evaluate(expression, { path: kerasModel }));
    const { graph } = readOnnx(bytes, 'resnet.onnx');
    expect(graph.nodes.filter(({ op }) => op === 'transpose' || op === 'pad')).toEqual([]);
    const ours = await outputsOf(graph, images);
    const furthest = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - (ours[at] ?? NaN))), 0);
    expect(furthest).toBeLessThan(1e-4);
    const right = countRight(ours, classes);
    console.info(`${IMAGES} images: outputs differ by at most ${furthest}; ${right} are right`);
    if (IMAGES === 10_000) expect(Math.abs(right / IMAGES - 0.8719)).toBeLessThan(0.0003);
  });
});
