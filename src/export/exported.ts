import type { ExportedModel } from './model.ts';
import type { TestVectors } from './vectors.ts';

/** Everything that the written files say. */
export interface Exported extends ExportedModel {
  readonly vectors: TestVectors;
  /** Whether `model.tflite` gets the metadata of Android's task library. */
  readonly metadata: boolean;
}
