import type { Static, TObject } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { choice, key } from '../core/schema.ts';
import type { Split, TestData } from '../data/dataset.ts';
import type { Purpose } from '../graph/contract.ts';
import type { OutputScale } from '../evaluation/integer-input.ts';
import { thresholdAims } from './ranking.ts';
import { base64 } from './views.ts';

/** Fields of the test stage that belong to some tasks. */
export const testFields = {
  top_k: Type.Optional(
    Type.Integer({
      ...key(
        'Also say how often the right class is among the `top_k` with the largest outputs; of a network that classifies',
      ),
      minimum: 2,
    }),
  ),
  threshold: Type.Optional(
    choice([...thresholdAims, 'half'], {
      ...key(
        'What the threshold of `task: binary` is chosen for, on the validation examples; `half` takes a probability of one half, as do pipelines without validation examples; default: balanced_accuracy',
      ),
    }),
  ),
  anomaly: Type.Optional(
    Type.String({
      ...key(
        'Name of the class of anomalies: how well the error of a network that reconstructs tells them from the other examples',
      ),
      minLength: 1,
    }),
  ),
};
export type TestField = keyof typeof testFields;
export type TestOptions = Static<TObject<typeof testFields>>;

/** Outputs of the models, [count, values] each. */
interface Outputs {
  /** Real values; null when the pipeline trained no float model. */
  readonly float: Float32Array | null;
  /** The weights that QAT trained, without any quantizer. */
  readonly qatFloat: Float32Array;
  readonly fakeQuant: Float32Array;
  /** Codes of the output. */
  readonly int8: Int32Array;
}

/** Outputs of the models for the test examples, from which a task computes its metrics. */
export interface Tested extends Outputs {
  readonly spec: Purpose;
  /** Whether outputs are probabilities: the network ends in the function that its task may end in. */
  readonly areProbabilities: boolean;
  readonly dataset: TestData;
  readonly options: TestOptions;
  /** The validation examples; null for a task that chooses nothing by them, and where there are none. */
  readonly validation: (Outputs & { readonly split: Split }) | null;
  /** Codes; null when LiteRT did not run. */
  readonly litert: Int32Array | null;
  readonly output: OutputScale;
  readonly numExamples: number;
}

/** What is measured of each example by the integer model, as the report pairs it with that of another model. */
export function outcomesOf(values: ArrayLike<number>): string {
  return base64(new Uint8Array(Float32Array.from(values).buffer));
}
