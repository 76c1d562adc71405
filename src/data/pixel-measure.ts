/** Mean and standard deviation of pixels, by channel. */

/** Of a channel, in pixel values. */
export interface PixelMoments {
  readonly mean: number;
  readonly deviation: number;
}

export interface PixelMeasure {
  /** @param pixels 0 .. 255, the channel being the last axis */
  readonly add: (pixels: ArrayLike<number>) => void;
  /** Of all that were added; a deviation of 1 for a channel that never changes. */
  readonly moments: () => readonly PixelMoments[];
}

/** Sums of whole numbers are exact up to 2^53, so the result does not depend on the order of the examples. */
export function measurePixels(channels: number): PixelMeasure {
  let count = 0;
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  return {
    add(pixels) {
      count += pixels.length / channels;
      for (let at = 0, channel = 0; at < pixels.length; at++) {
        const pixel = pixels[at]!;
        sums[channel]! += pixel;
        squares[channel]! += pixel * pixel;
        if (++channel === channels) channel = 0;
      }
    },
    moments: () =>
      Array.from(sums, (sum, channel) => {
        const mean = count === 0 ? 0 : sum / count;
        const variance = count === 0 ? 0 : squares[channel]! / count - mean ** 2;
        return { mean, deviation: Math.sqrt(Math.max(variance, 0)) || 1 };
      }),
  };
}
