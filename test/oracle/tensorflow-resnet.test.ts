/** MLPerf Tiny's image classifier as a float .tflite file, a frozen graph and a SavedModel. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { importTflite } from '../../src/importers/tflite.ts';
import { readFrozenGraph } from '../../src/importers/tensorflow/frozen-graph.ts';
import { readSavedModelFiles } from '../../src/importers/tensorflow/saved-model.ts';
import { floatOf } from './closeness.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, hasOracle, openOracle } from './oracle.ts';
import { IMAGES, countRight, hasImages, kerasModel, outputsOf, shared, testImages } from './resnet-images.ts';
import { fieldsOf } from './tensorflow-imports.ts';

describe.skipIf(!hasOracle || !hasImages)(
  'a residual network in the formats of TensorFlow',
  { timeout: 900_000 },
  () => {
    let oracle: Oracle;
    const { images, classes } = hasOracle && hasImages ? testImages() : { images: new Float32Array(), classes: [] };
    beforeAll(async () => {
      oracle = openOracle();
      await oracle.evaluate('tf.version.VERSION');
    }, 300_000);
    afterAll(() => oracle.close());

    async function check(graph: Graph, expression: string, path: string): Promise<void> {
      const given = tensor('float32', [IMAGES, 32, 32, 3], images);
      const expected = floatOf(await oracle.evaluate(expression, { path, images: given })).data;
      const ours = await outputsOf(graph, images);
      const furthest = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - (ours[at] ?? NaN))), 0);
      const right = countRight(ours, classes);
      console.info(`${IMAGES} images: outputs differ by at most ${furthest}; ${right} are right`);
      expect(furthest).toBeLessThan(1e-4);
      if (IMAGES === 10_000) expect(Math.abs(right / IMAGES - 0.8719)).toBeLessThan(0.0003);
    }

    it('a .tflite file gives what TensorFlow Lite gives', async () => {
      const path = join(shared, 'models', 'pretrainedResnet.tflite');
      await check(importTflite(readFileSync(path), path).graph, 'tf_networks.tflite_outputs(path, images)', path);
    });

    it('a frozen graph gives what Keras gives', async () => {
      const bytes = expectBytes(await oracle.evaluate('tf_networks.frozen_keras(path)', { path: kerasModel }));
      await check(readFrozenGraph(bytes, 'resnet.pb').graph, 'onnx_exports.keras_outputs(path, images)', kerasModel);
    });

    it('a SavedModel gives what Keras gives', async () => {
      const files = fieldsOf(await oracle.evaluate('tf_networks.saved_keras(path)', { path: kerasModel }));
      const { graph } = readSavedModelFiles({
        path: 'resnet',
        graph: expectBytes(files['saved_model.pb']),
        index: expectBytes(files['variables/variables.index']),
        shard: (name) => expectBytes(files[`variables/${name}`]),
      });
      await check(graph, 'onnx_exports.keras_outputs(path, images)', kerasModel);
    });
  },
);
