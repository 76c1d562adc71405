/** Pictures as samples in memory. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Row by row from the top left, channels innermost, `width * height * channels` samples. */
export interface Raster<P extends Uint8Array | Float32Array = Uint8Array> extends Size {
  /** 1 grey, 3 red green blue, 4 with alpha as the last, which does not scale the others. */
  readonly channels: 1 | 3 | 4;
  readonly pixels: P;
}
