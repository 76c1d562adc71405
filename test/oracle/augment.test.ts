/** Random changes to images with given numbers, against TensorFlow's transform and Keras's preprocessing layers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { floatTensor, tensor } from '../../src/core/tensor.ts';
import type { Fill } from '../../src/data/augment-pixels.ts';
import { changeColors, warp } from '../../src/data/augment-pixels.ts';
import type { Oracle } from './oracle.ts';
import { expectTensor, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const shapes = [
  { height: 12, width: 17, channels: 3 },
  { height: 9, width: 9, channels: 1 },
];
const fills: readonly Fill[] = ['reflect', 'nearest', 'constant'];

type Matrix = readonly (readonly number[])[];
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, at) => sum + value * b[at]![column]!, 0)));

describe.skipIf(!hasOracle)(`changes to images, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  beforeAll(() => (oracle = openOracle()));
  afterAll(() => oracle.close());
  const random = createRandom(seed, 'augment');

  it.each(fills)('turn, move and zoom as ImageProjectiveTransformV3 (%s)', async (fill) => {
    for (const shape of shapes) {
      const { height, width, channels } = shape;
      const image = Uint8Array.from({ length: height * width * channels }, () => random.below(256));
      for (let trial = 0; trial < 8; trial++) {
        const turn = random.float() - 0.5;
        const [down, right] = [(random.float() - 0.5) * 2 * height, (random.float() - 0.5) * 2 * width];
        const seen = 0.5 + random.float();
        const ours = new Float32Array(image.length);
        warp(image, shape, { turn, down, right, seen }, fill, ours);
        // From a pixel of the result to one of the image: zoom, move, turn, about the centre.
        const [y, x] = [(height - 1) / 2, (width - 1) / 2];
        const shift = (dx: number, dy: number): Matrix => [
          [1, 0, dx],
          [0, 1, dy],
          [0, 0, 1],
        ];
        const [cos, sin] = [Math.cos(2 * Math.PI * turn), Math.sin(2 * Math.PI * turn)];
        const matrices = [
          shift(x, y),
          [
            [cos, -sin, 0],
            [sin, cos, 0],
            [0, 0, 1],
          ],
          shift(-right, -down),
          [
            [seen, 0, 0],
            [0, seen, 0],
            [0, 0, 1],
          ],
          shift(-x, -y),
        ];
        const transform = matrices.reduce(product).flat().slice(0, 8);
        const theirs = expectTensor(
          await oracle.evaluate(
            'tf.raw_ops.ImageProjectiveTransformV3(images=tf.cast(image, tf.float32)[None], transforms=transform, ' +
              'output_shape=size, fill_value=0.0, interpolation="BILINEAR", fill_mode=fill)[0].numpy()',
            {
              image: tensor('uint8', [height, width, channels], image),
              transform: floatTensor([1, 8], transform),
              size: tensor('int32', [2], Int32Array.of(height, width)),
              fill: fill.toUpperCase(),
            },
          ),
        );
        // TensorFlow's coordinates are float32, and pixels differ by up to 255.
        for (const [at, value] of ours.entries()) {
          expect(Math.abs(value - Number(theirs.data[at])), `${at}`).toBeLessThan(0.02);
        }
      }
    }
  });

  it('turns and zooms in the direction of Keras', async () => {
    const [shape] = shapes as [(typeof shapes)[0]];
    const { height, width, channels } = shape;
    const image = Uint8Array.from({ length: height * width * channels }, () => random.below(256));
    for (const [layer, drawn] of [
      ['RandomRotation((0.1, 0.1), fill_mode="reflect")', { turn: 0.1, down: 0, right: 0, seen: 1 }],
      ['RandomZoom((0.25, 0.25), fill_mode="reflect")', { turn: 0, down: 0, right: 0, seen: 1.25 }],
      [
        'RandomTranslation((0.25, 0.25), (-0.125, -0.125), fill_mode="nearest")',
        { turn: 0, down: 0.25 * height, right: -0.125 * width, seen: 1 },
      ],
    ] as const) {
      const ours = new Float32Array(image.length);
      warp(image, shape, drawn, layer.includes('nearest') ? 'nearest' : 'reflect', ours);
      const theirs = expectTensor(
        await oracle.evaluate(`tf.keras.layers.${layer}(tf.cast(image, tf.float32)[None], training=True)[0].numpy()`, {
          image: tensor('uint8', [height, width, channels], image),
        }),
      );
      for (const [at, value] of ours.entries()) {
        expect(Math.abs(value - Number(theirs.data[at])), `${layer} ${at}`).toBeLessThan(0.05);
      }
    }
  });

  it('stretches and brightens as tf.image', async () => {
    const values = Float32Array.from({ length: 12 * 17 * 3 }, () => random.below(256));
    const theirs = expectTensor(
      await oracle.evaluate(
        'tf.clip_by_value(tf.clip_by_value(tf.image.adjust_contrast(image, 1.4), 0., 255.) + 20., 0., 255.).numpy()',
        { image: floatTensor([12, 17, 3], values) },
      ),
    );
    changeColors(values, 3, { contrast: 1.4, brightness: 20 });
    for (const [at, value] of values.entries()) expect(Math.abs(value - Number(theirs.data[at]))).toBeLessThan(1e-3);
  });
});
