import { describe, expect, it } from 'vitest';
import { createResampler, resampledLength } from '../../../src/data/features/resample.ts';

/** A sine of amplitude 1/2 at the times k / rate. */
const tone = (hertz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from(
    { length: Math.round(rate * seconds) },
    (_, k) => Math.sin((2 * Math.PI * hertz * k) / rate + 0.3) / 2,
  );

/** 10 log10 of the power of the reference by that of the difference, away from the ends. */
function signalToNoise(found: Float32Array, reference: Float32Array): number {
  const skipped = Math.ceil(found.length / 8);
  let [signal, noise] = [0, 0];
  for (let k = skipped; k < found.length - skipped; k++) {
    signal += reference[k]! ** 2;
    noise += (found[k]! - reference[k]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

const pairs: readonly (readonly [from: number, to: number])[] = [
  [8000, 16000],
  [16000, 8000],
  [44100, 16000],
  [48000, 16000],
  [11025, 16000],
  [44100, 8000],
  [22050, 44100],
  [8000, 11025],
  // Coprime: weights are interpolated.
  [44099, 16001],
  [8000, 8009],
];

describe('resampling', () => {
  it.each(pairs)('%d Hz to %d Hz gives sines below 0.88 of half the lower rate at the new times', (from, to) => {
    for (const share of [0.01, 0.2, 0.5, 0.8, 0.88]) {
      const hertz = (share * Math.min(from, to)) / 2;
      const found = createResampler(from, to)(tone(hertz, from, 0.5));
      // 0.001 dB is -79 dB; in the middle of the band the ripple of a 110 dB window is far below.
      expect(signalToNoise(found, tone(hertz, to, 0.5)), `${hertz} Hz`).toBeGreaterThan(share < 0.88 ? 100 : 79);
    }
  });

  it.each(pairs.filter(([from, to]) => to < from))('%d Hz to %d Hz takes out what it cannot hold', (from, to) => {
    for (const share of [1.01, 1.2, (0.99 * from) / to]) {
      const hertz = (share * to) / 2;
      if (hertz >= from / 2) continue;
      const found = createResampler(from, to)(tone(hertz, from, 0.5));
      const middle = found.subarray(found.length / 8, (7 * found.length) / 8);
      const largest = middle.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(20 * Math.log10(largest / 0.5), `${hertz} Hz`).toBeLessThan(-100);
    }
  });

  it('keeps a constant, up to the silence beyond the ends', () => {
    const found = createResampler(44100, 16000)(new Float32Array(44100).fill(0.25));
    const middle = found.subarray(100, found.length - 100);
    expect(Math.max(...middle.map((value) => Math.abs(value - 0.25)))).toBeLessThan(2 ** -25);
  });

  it('is linear in time: a click stays where it was', () => {
    const samples = new Float32Array(1000);
    samples[400] = 1;
    const found = createResampler(8000, 16000)(samples);
    expect(found.indexOf(Math.max(...found))).toBe(800);
    expect([...found.subarray(700, 800)]).toEqual([...found.subarray(801, 901)].reverse());
  });

  it('gives the whole samples that begin before the end, and none for none', () => {
    expect(resampledLength(3, 8000, 16000)).toBe(6);
    expect(resampledLength(3, 16000, 8000)).toBe(2);
    expect(createResampler(44100, 16000)(new Float32Array(441)).length).toBe(160);
    expect(createResampler(44100, 16000)(new Float32Array(0)).length).toBe(0);
    expect(createResampler(44100, 16000)(Float32Array.of(1)).length).toBe(1);
  });

  it('copies at the same rate', () => {
    const samples = Float32Array.of(1, -1, 0.5);
    const found = createResampler(8000, 8000)(samples);
    expect(found).toEqual(samples);
    expect(found).not.toBe(samples);
  });

  it('gives the same for a second recording as for a first', () => {
    const resample = createResampler(44099, 16001);
    const first = resample(tone(440, 44099, 0.1));
    resample(tone(1000, 44099, 0.2));
    expect(resample(tone(440, 44099, 0.1))).toEqual(first);
  });

  it('refuses a rate that is not whole', () => {
    expect(() => createResampler(8000.5, 16000)).toThrow('internal: resampling 8000.5 to 16000');
  });
});
