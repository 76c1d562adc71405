/** Models of one op, whose exported files can be written by hand. */
import type { QuantParams } from '../../src/core/affine.ts';
import type { Exported } from '../../src/export/exported.ts';
import { exportedModel } from '../../src/export/model.ts';
import { fnv1a } from '../../src/export/vectors.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { InputMeaning, OutputMeaning } from '../../src/graph/contract.ts';
import { contractOf } from '../../src/graph/contract.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import { writeTflite } from '../../src/tflite/write.ts';

const quant = (scale: number, zeroPoint: number): QuantParams => ({ kind: 'per_tensor', scale, zeroPoint });

export const pixelInput: InputMeaning = { normalize: { scale: 1 / 256, mean: 0 } };

/** What TensorFlow Lite fixes for int8 probabilities. */
const probability = quant(1 / 256, -128);

interface ByHand {
  readonly name?: string;
  readonly input?: InputMeaning;
  /** Default: that of pixels. */
  readonly inputQuant?: QuantParams;
  readonly output: OutputMeaning;
  /** Without the batch. */
  readonly shape: readonly number[];
}

/** Its one vector has the codes 0, 1, 2 .. */
export function byHand({
  name = 'small',
  input = pixelInput,
  inputQuant = quant(1 / 256, -128),
  output,
  shape,
}: ByHand): Exported {
  const builder = buildGraph('main', 'int8');
  const given = builder.input('in "put"', { dtype: 'int8', shape: [1, ...shape] }, inputQuant);
  const [result] = builder.node('logistic', 'out/put', [given], {}, probability);
  const graph = builder.finish([result!]);
  const bytes = writeTflite(graph);
  const model = exportedModel(name, bytes, contractOf(graph, [input], [output]), null, 'model.tflite');
  const interpreter = prepareInterpreter(model.graph, 'model.tflite');
  const codes = Int8Array.from({ length: model.input.size }, (_, at) => at);
  interpreter.run([codes]);
  const found = Int8Array.from(interpreter.peek('out/put'));
  const digest = fnv1a(new Uint8Array(found.buffer));
  return {
    ...model,
    metadata: true,
    vectors: {
      layers: [{ name: 'out/put', op: 'logistic', tensor: 1, bytes: found.length }],
      vectors: [{ example: 0, input: codes, output: found, digests: [digest], litert: found }],
      litertNote: null,
    },
  };
}
