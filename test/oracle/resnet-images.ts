/** MLPerf Tiny's image classifier, the images that it is asked about, and what an imported one answers. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { setBatch } from '../../src/passes/index.ts';

export const shared = join(import.meta.dirname, '..', '..', '..', 'shared');
export const kerasModel = join(shared, 'models', 'pretrainedResnet.h5');
const cifar10 = join(process.env['QPIPE_DATA'] ?? join(shared, 'data'), 'cifar10', 'test_batch.bin.gz');

/** Of 10,000; the accuracy is asked for where all are taken. */
export const IMAGES = Number(process.env['ORACLE_IMAGES'] ?? 100);
const pixels = 32 * 32;
const record = 1 + 3 * pixels;

/** Raw pixels 0 .. 255 as [image, row, column, color], and classes; colors are planes in the file. */
export function testImages(): { readonly images: Float32Array; readonly classes: readonly number[] } {
  const bytes = gunzipSync(readFileSync(cifar10));
  const images = new Float32Array(IMAGES * 3 * pixels);
  for (let at = 0; at < images.length; at++) {
    const image = Math.floor(at / (3 * pixels));
    const [pixel, color] = [Math.floor(at / 3) % pixels, at % 3];
    images[at] = bytes[image * record + 1 + color * pixels + pixel] ?? 0;
  }
  return { images, classes: Array.from({ length: IMAGES }, (_, image) => bytes[image * record] ?? 0) };
}

export async function outputsOf(graph: Graph, images: Float32Array): Promise<Float32Array> {
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

export const hasImages = existsSync(kerasModel) && existsSync(cifar10);

/** How many images have the largest score at their class. */
export function countRight(scores: Float32Array, classes: readonly number[]): number {
  return classes.filter((one, image) => {
    const own = scores.subarray(image * 10, image * 10 + 10);
    return own.indexOf(Math.max(...own)) === one;
  }).length;
}
