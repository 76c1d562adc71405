/** What sound is turned into before a network sees it: frames in time, numbers in each. */
export interface FeatureDefinition<K extends string, Options> {
  /** The word after `kind:`. */
  readonly kind: K;
  /** Options of a recording at this rate that says nothing else. */
  readonly defaults: (rate: number) => Options;
  /** What keeps these options from working at this rate; empty when nothing does. */
  readonly problems: (rate: number, options: Options) => readonly OptionProblem<Options>[];
  /** Frames and bins of a recording; 0 frames when it is shorter than one. Options without problems. */
  readonly shapeOf: (samples: number, rate: number, options: Options) => FeatureShape;
  /**
   * Makes the tables once.
   *
   * @returns what turns samples in -1 .. 1 into values of shape [frames, bins]; each call starts afresh, so that the
   *   result depends on the samples alone
   * @throws Error `internal:` for options with problems
   */
  readonly prepare: (rate: number, options: Options) => (samples: Float32Array) => Float32Array;
}

export type FeatureShape = readonly [frames: number, bins: number];

export interface OptionProblem<Options> {
  readonly option: keyof Options & string;
  /** What was found and what was expected. */
  readonly message: string;
}

/** Whole frames in a recording, without padding. Lengths in samples. */
export const framesIn = (samples: number, frameLength: number, frameStep: number): number =>
  samples < frameLength ? 0 : 1 + Math.floor((samples - frameLength) / frameStep);

/** The smallest power of two that is not below a length of at least 1. */
export function nextPowerOfTwo(length: number): number {
  let power = 1;
  while (power < length) power *= 2;
  return power;
}
