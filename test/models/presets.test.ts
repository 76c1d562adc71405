// The MLPerf Tiny reference networks publish their Keras parameter totals. Theirs count a bias before each batch norm
// (which has no effect and which ours leave out) and the moving statistics; the published totals hold with both added.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { numElements } from '../../src/core/tensor.ts';
import { valueOf, variablesOf } from '../../src/graph/graph.ts';
import type { ModelConfig } from '../../src/models/config.ts';
import type { Layer } from '../../src/models/layers.ts';
import { modelLayers, modelTask } from '../../src/models/presets.ts';
import { buildModel } from './forms.ts';

function build(model: ModelConfig, classes: number, image: readonly [number, number, number]) {
  const layers = modelLayers(model, classes, image);
  const spec = {
    name: 'preset',
    task: modelTask(model),
    layers,
    image,
    classes: Array.from({ length: classes }, (_, index) => String(index)),
    normalize: { scale: 1, mean: 0 },
  };
  const graph = buildModel(spec, 2, 'inference', { kind: 'random', random: createRandom(1) });
  const sizes = variablesOf(graph).map(({ name, type }) => ({ name, size: numElements(type.shape) }));
  const unusedBiases = sizes.filter(({ name }) => name.endsWith('/beta')).reduce((sum, { size }) => sum + size, 0);
  return {
    layers,
    outputShape: valueOf(graph, graph.outputs[0] ?? '').type.shape,
    kerasTotal: sizes.reduce((sum, { size }) => sum + size, 0) + unusedBiases,
  };
}

const count = (layers: readonly Layer[], kind: Layer['kind']): number => layers.filter((l) => l.kind === kind).length;

describe('presets', () => {
  it('resnet8 has the 78,666 parameters of the image classification reference', () => {
    const network = build({ preset: 'resnet8', filters: 16 }, 10, [32, 32, 3]);
    expect(network.kerasTotal).toBe(78_666);
    expect(network.outputShape).toEqual([2, 10]);
    expect(count(network.layers, 'add')).toBe(3);
  });

  it('ds_cnn has the 24,908 parameters of the keyword spotting reference', () => {
    const network = build({ preset: 'ds_cnn', filters: 64 }, 12, [49, 10, 1]);
    expect(network.kerasTotal).toBe(24_908);
    expect(network.outputShape).toEqual([2, 12]);
  });

  it('mobilenet_v1 at alpha 0.25 has the 221,794 parameters of the visual wake words reference', () => {
    const network = build({ preset: 'mobilenet_v1', alpha: 0.25 }, 2, [96, 96, 3]);
    expect(network.kerasTotal).toBe(221_794);
    expect(count(network.layers, 'depthwise_conv_2d')).toBe(13);
  });

  it('mobilenet_v2 has seventeen bottlenecks, ten of them with a bypass', () => {
    const network = build({ preset: 'mobilenet_v2', alpha: 1 }, 1000, [64, 64, 3]);
    expect(count(network.layers, 'depthwise_conv_2d')).toBe(17);
    expect(count(network.layers, 'add')).toBe(10);
    // Keras's MobileNetV2 says 3,538,984 in all; it has no bias before a batch norm.
    const betas = network.kerasTotal - 3_538_984;
    expect(betas).toBe(17_056);
  });

  it('autoencoder has the 269,992 parameters of the anomaly detection reference', () => {
    // Dense layers: 640*128+128, 6 * (128*128+128), 128*8+8, 8*128+128, 128*640+640; four numbers for each of the
    // 8 * 128 + 8 normalised channels. Keras counts the same.
    expect(82_048 + 6 * 16_512 + 1_032 + 1_152 + 82_560 + 4 * 1_032).toBe(269_992);
    const network = build({ preset: 'autoencoder', hidden: 128, bottleneck: 8 }, 10, [5, 128, 1]);
    expect(network.kerasTotal).toBe(269_992);
    expect(network.outputShape).toEqual([2, 640]);
    expect(network.layers.map((layer) => ('units' in layer ? layer.units : layer.kind))).toEqual([
      'flatten',
      ...[128, 128, 128, 128, 8, 128, 128, 128, 128, 640],
    ]);
  });

  it('lenet5 has the 61,706 parameters of its text-book table', () => {
    // conv1 6*(25+1), conv2 16*(150+1), fc1 120*(400+1), fc2 84*(120+1), logits 10*(84+1)
    expect(build({ preset: 'lenet5' }, 10, [28, 28, 1]).kerasTotal).toBe(61_706);
  });
});
