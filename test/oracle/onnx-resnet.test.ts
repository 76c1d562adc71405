/** MLPerf Tiny's image classifier as two ONNX files of the same Keras weights. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { readOnnx } from '../../src/importers/onnx/read.ts';
import { setBatch } from '../../src/passes/index.ts';
import { floatOf } from './closeness.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';

const shared = join(import.meta.dirname, '..', '..', '..', 'shared');
const model = join(shared, 'models', 'pretrainedResnet.h5');
const cifar10 = join(process.env['QPIPE_DATA'] ?? join(shared, 'data'), 'cifar10', 'test_batch.bin.gz');

/** Of 10,000; the accuracy is asked for where all are taken. */
const IMAGES = Number(process.env['ORACLE_IMAGES'] ?? 100);
const pixels = 32 * 32;
const record = 1 + 3 * pixels;

/** Raw pixels 0 .. 255 as [image, row, column, color], and classes; colors are planes in the file. */
function testImages(): { readonly images: Float32Array; readonly classes: readonly number[] } {
  const bytes = gunzipSync(readFileSync(cifar10));
  const images = new Float32Array(IMAGES * 3 * pixels);
  for (let at = 0; at < images.length; at++) {
    const image = Math.floor(at / (3 * pixels));
    const [pixel, color] = [Math.floor(at / 3) % pixels, at % 3];
    images[at] = bytes[image * record + 1 + color * pixels + pixel] ?? 0;
  }
  return { images, classes: Array.from({ length: IMAGES }, (_, image) => bytes[image * record] ?? 0) };
}

async function outputsOf(graph: Graph, images: Float32Array): Promise<Float32Array> {
  const batch = 100;
  const session = await wasmEngine.open(setBatch(graph, batch), { replicas: 1, threads: 1 });
  const outputs = new Float32Array(IMAGES * 10);
  for (let first = 0; first < IMAGES; first += batch) {
    const part = images.slice(first * 3 * pixels, (first + batch) * 3 * pixels);
    const result = await session.run(new Map([[graph.inputs[0] ?? '', part]]));
    outputs.set(result.get(graph.outputs[0] ?? '') ?? [], first * 10);
  }
  await session.close();
  return outputs;
}

const largest = (scores: Float32Array): number => scores.indexOf(Math.max(...scores));

describe.skipIf(!hasOracle || !existsSync(model) || !existsSync(cifar10))(
  'a Keras model exported to ONNX',
  { timeout: 300_000 },
  () => {
    let oracle: Oracle;
    let expected = new Float32Array();
    const { images, classes } =
      hasOracle && existsSync(cifar10) ? testImages() : { images: new Float32Array(), classes: [] };
    beforeAll(async () => {
      oracle = openOracle();
      const given = tensor('float32', [IMAGES, 32, 32, 3], images);
      const outputs = await oracle.evaluate('onnx_exports.keras_outputs(path, images)', { path: model, images: given });
      expected = Float32Array.from(floatOf(outputs).data);
    }, 300_000);
    afterAll(() => oracle.close());

    it.each([
      ['tf2onnx', 'onnx_exports.by_tf2onnx(path, 15)'],
      ['channels first, batch norm on its own', 'onnx_exports.channels_first(path, 17)'],
    ])('by %s has no transposes and gives what Keras gives', async (_, expression) => {
      const bytes = expectBytes(await oracle.evaluate(expression, { path: model }));
      const { graph } = readOnnx(bytes, 'resnet.onnx');
      expect(graph.nodes.filter(({ op }) => op === 'transpose' || op === 'pad')).toEqual([]);
      const ours = await outputsOf(graph, images);
      const furthest = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - (ours[at] ?? NaN))), 0);
      expect(furthest).toBeLessThan(1e-4);
      const right = classes.filter((one, image) => largest(ours.subarray(image * 10, image * 10 + 10)) === one).length;
      console.info(`${IMAGES} images: outputs differ by at most ${furthest}; ${right} are right`);
      if (IMAGES === 10_000) expect(Math.abs(right / IMAGES - 0.8719)).toBeLessThan(0.0003);
    });
  },
);
