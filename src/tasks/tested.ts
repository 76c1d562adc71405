import type { TestData } from '../data/dataset.ts';
import { pixelReader } from '../data/inputs.ts';
import type { Purpose } from '../graph/contract.ts';
import type { OutputScale } from '../evaluation/integer-input.ts';

/** Outputs of the models for the test images, [count, values] each, from which a task computes its metrics. */
export interface Tested {
  readonly spec: Purpose;
  readonly dataset: TestData;
  /** Real values; null when the pipeline trained no float model. */
  readonly float: Float32Array | null;
  /** The weights that QAT trained, without any quantizer. */
  readonly qatFloat: Float32Array;
  readonly fakeQuant: Float32Array;
  /** Codes of the output. */
  readonly int8: Int32Array;
  /** Codes; null when LiteRT did not run. */
  readonly litert: Int32Array | null;
  readonly output: OutputScale;
  readonly numExamples: number;
}

/** A test image as a page can show it; null for what is no picture. */
export function pictureOf({ spec, dataset }: Tested, index: number) {
  const [height, width, channels] = spec.image;
  const { inputs } = dataset.test;
  if (inputs.kind !== 'pixels' || (channels !== 1 && channels !== 3)) return null;
  return { width, height, channels, pixels: base64(pixelReader(inputs)(index)) } as const;
}

export const base64 = (pixels: Uint8Array): string => Buffer.from(pixels).toString('base64');
