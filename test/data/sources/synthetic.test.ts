import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Split } from '../../../src/data/dataset.ts';
import { makeSynthetic, syntheticDefaults } from '../../../src/data/sources/synthetic.ts';
import type { SyntheticSource } from '../../../src/data/sources/synthetic.ts';
import { labelsOf, masksOf, targetsOf } from '../../../src/data/dataset.ts';
import { pixelReader } from '../../../src/data/inputs.ts';
import { pixelsIn } from '../examples.ts';

const source: SyntheticSource = { kind: 'synthetic', ...syntheticDefaults, seed: 1 };

describe('synthetic images', () => {
  // Runs are compared by hash between machines, so these bytes may only change on purpose.
  // A port of the generator to Python's integers gave the same digest.
  it('are the same bytes on every machine', () => {
    const { train, test } = makeSynthetic(source);
    const hash = createHash('sha256').update(pixelsIn(train)).update(pixelsIn(test)).digest('hex');
    expect(hash).toBe('6c5204a7b3dd38b2a7d2240f34671774c3b1e0735cf3c653f4013623e3726996');
  });

  it('have all classes equally often, other images in test than in training, and others for another seed', () => {
    const { train, test } = makeSynthetic({ ...source, trainCount: 40, testCount: 20 });
    for (let label = 0; label < 10; label++) {
      expect(labelsOf(train).filter((found) => found === label)).toHaveLength(4);
      expect(labelsOf(test).filter((found) => found === label)).toHaveLength(2);
    }
    expect(pixelsIn(test)).not.toEqual(pixelsIn(train).subarray(0, pixelsIn(test).length));
    const other = makeSynthetic({ ...source, trainCount: 40, testCount: 20, seed: 2 });
    expect(pixelsIn(other.train)).not.toEqual(pixelsIn(train));
  });

  it('can be learned, but not by looking at the average image', () => {
    const { train, test } = makeSynthetic(source);
    const accuracy = nearestCentroidAccuracy(train, test);
    // Chance is 0.1.
    expect(accuracy).toBeGreaterThan(0.2);
    expect(accuracy).toBeLessThan(0.8);
  });

  it('without noise have two grey levels, and the shape inside the image', () => {
    const { train } = makeSynthetic({ ...source, noise: 0, size: 12, classes: 2, trainCount: 50, testCount: 0 });
    for (let index = 0; index < train.count; index++) {
      const pixels = pixelsIn(train).subarray(144 * index, 144 * (index + 1));
      const [background, shape, ...rest] = [...new Set(pixels)].sort((a, b) => a - b);
      expect(rest).toEqual([]);
      expect(shape! - background!).toBeGreaterThanOrEqual(64);
      if (labelsOf(train)[index] !== 1) continue;
      // A square inside the image is as wide as it is high: its area is a square or between two of them by one side.
      const area = pixels.filter((pixel) => pixel === shape).length;
      const side = Math.floor(Math.sqrt(area));
      expect([side * side, side * (side + 1)]).toContain(area);
    }
  });
});

function nearestCentroidAccuracy(train: Split, test: Split): number {
  const testPixels = pixelsIn(test);
  const imageBytes = testPixels.length / test.count;
  const centroids = Array.from({ length: 10 }, () => new Float64Array(imageBytes));
  pixelsIn(train).forEach((pixel, index) => {
    const label = labelsOf(train)[Math.floor(index / imageBytes)]!;
    centroids[label]![index % imageBytes]! += (10 * pixel) / train.count;
  });
  let numRight = 0;
  for (let index = 0; index < test.count; index++) {
    const distances = centroids.map((centroid) =>
      centroid.reduce((sum, mean, pixel) => sum + (testPixels[index * imageBytes + pixel]! - mean) ** 2, 0),
    );
    if (distances.indexOf(Math.min(...distances)) === labelsOf(test)[index]) numRight++;
  }
  return numRight / test.count;
}

describe('synthetic scenes', () => {
  const scenes = { ...source, classes: 3, trainCount: 60, testCount: 20 };

  it('have a label for each shape of which a pixel can be seen, by the masks of the same scenes', () => {
    const labelled = makeSynthetic({ ...scenes, answers: 'labels' });
    const masked = makeSynthetic({ ...scenes, answers: 'masks' });
    expect(labelled.tags).toEqual(['disc', 'square', 'plus']);
    expect(masked.classNames).toEqual(['background', 'disc', 'square', 'plus']);
    expect(pixelsIn(labelled.train)).toEqual(pixelsIn(masked.train));
    const read = pixelReader(masksOf(masked.train));
    const shown = Array.from({ length: 60 }, (_, index) => new Set(read(index)));
    const expected = shown.flatMap((labels) => [1, 2, 3].map((label) => Number(labels.has(label))));
    expect([...targetsOf(labelled.train)]).toEqual(expected);
    // None, some and several.
    expect(new Set(shown.map(({ size }) => size))).toEqual(new Set([1, 2, 3, 4]));
  });
});
