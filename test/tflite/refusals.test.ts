/** What the reader says of files that it does not run: the damaged ones are to be made again, the others run elsewhere. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import type { TfliteOperator, TfliteTensor } from '../../src/tflite/file.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { handmade, plainOperator, plainTensor } from './handmade.ts';

const damaged = { code: 'bad-tflite', hint: 'convert the model again' };
const sound = { code: 'unsupported-model', hint: '`qpipe predict --runtime litert` may run it' };

/** One operator of one input and one output; other tensors follow. */
interface Case {
  readonly builtin: number;
  readonly input?: Partial<TfliteTensor> & { readonly kind?: TfliteTensor['type']; readonly sizes?: readonly number[] };
  readonly output?: Partial<TfliteTensor> & {
    readonly kind?: TfliteTensor['type'];
    readonly sizes?: readonly number[];
  };
  readonly others?: readonly TfliteTensor[];
  readonly operator?: Partial<TfliteOperator>;
}

const none = new Float32Array(0);
const scaled = (scale: number, zeroPoint: number) => ({
  ...{ scale: Float32Array.of(scale), zeroPoint: [zeroPoint], quantizedDimension: 0, min: none, max: none },
});
const perChannel = (zeroPoints: readonly number[]) => ({
  ...{ scale: new Float32Array(zeroPoints.length).fill(1), zeroPoint: zeroPoints },
  ...{ quantizedDimension: 1, min: none, max: none },
});

function fileOf({ builtin, input = {}, output = {}, others = [], operator = {} }: Case): Uint8Array {
  const tensors = [
    plainTensor('in', input.sizes ?? [1, 2], input.kind ?? 'INT8', input),
    plainTensor('out', output.sizes ?? [1, 2], output.kind ?? 'INT8', output),
    ...others,
  ];
  const more = others.map((_, index) => index + 2);
  return handmade({
    codes: [builtin],
    tensors,
    inputs: [0],
    outputs: [1],
    operators: [plainOperator(0, [0, ...more], [1], operator)],
  });
}

const RELU = 19;
const MEAN = 40;
const GATHER = 36;
const CONCATENATION = 2;
const MAX_POOL_2D = 17;
const pool = { optionsType: 5, options: { padding: 0, stride_w: 1, stride_h: 1, filter_width: 1, filter_height: 1 } };

const cases: readonly (readonly [title: string, expected: typeof damaged, says: string, file: Case])[] = [
  [
    'a float model',
    sound,
    '"in" of relu is float32',
    { builtin: RELU, input: { kind: 'FLOAT32', quantization: null } },
  ],
  ['values of 16 bits', sound, '"in" is INT16', { builtin: RELU, input: { kind: 'INT16' } }],
  ['no scale where one is needed', sound, 'without a scale', { builtin: RELU, input: { quantization: null } }],
  ['another type of the output', sound, 'makes int8[1,2] but', { builtin: RELU, output: { kind: 'UINT8' } }],
  [
    'a scale that is no number',
    damaged,
    '"in" has scale NaN',
    { builtin: RELU, input: { quantization: scaled(NaN, 0) } },
  ],
  ['a negative scale', damaged, '"in" has scale -1', { builtin: RELU, input: { quantization: scaled(-1, 0) } }],
  ['an output of another shape', damaged, 'makes int8[1,2] but', { builtin: RELU, output: { sizes: [2, 2] } }],
  [
    'scales per channel',
    sound,
    '"in" of relu has scales on axis 1; expected one scale',
    {
      ...{ builtin: RELU, input: { quantization: perChannel([0, 0]) } },
    },
  ],
  [
    'zero points per channel',
    sound,
    'zero points per channel',
    { builtin: RELU, input: { quantization: perChannel([0, 3]) } },
  ],
  [
    'a variable',
    sound,
    'reads tensor "state", which keeps its values',
    {
      ...{ builtin: CONCATENATION, others: [plainTensor('state', [1, 2], 'INT8', { isVariable: true })] },
      operator: { optionsType: 10, options: { axis: 1, fused_activation_function: 0 } },
    },
  ],
  [
    'a value that nothing makes',
    damaged,
    'reads tensor "b", which nothing has made',
    {
      ...{ builtin: CONCATENATION, others: [plainTensor('b', [1, 2], 'INT8')] },
      operator: { optionsType: 10, options: { axis: 1, fused_activation_function: 0 } },
    },
  ],
  [
    'reduction axes that are not constant',
    sound,
    'the axes must be constant',
    {
      ...{ builtin: MEAN, others: [plainTensor('axes', [1], 'INT32')] },
      operator: { optionsType: 27, options: { keep_dims: false } },
    },
  ],
  [
    'indices that are not constant',
    sound,
    'the indices must be constant',
    {
      ...{ builtin: GATHER, others: [plainTensor('indices', [1], 'INT32')] },
      operator: { optionsType: 23, options: { axis: 0, batch_dims: 0 } },
    },
  ],
  [
    'a gather of batches',
    sound,
    'batch_dims is 1',
    {
      ...{ builtin: GATHER, others: [plainTensor('indices', [1], 'INT32')] },
      operator: { optionsType: 23, options: { axis: 1, batch_dims: 1 } },
    },
  ],
  [
    'a fused tanh',
    sound,
    'the fused activation is tanh',
    {
      ...{ builtin: MAX_POOL_2D, input: { sizes: [1, 2, 2, 1] }, output: { sizes: [1, 2, 2, 1] } },
      operator: { ...pool, options: { ...pool.options, fused_activation_function: 4 } },
    },
  ],
  [
    'a fused activation of no schema',
    damaged,
    'the fused activation is 77',
    {
      ...{ builtin: MAX_POOL_2D, input: { sizes: [1, 2, 2, 1] }, output: { sizes: [1, 2, 2, 1] } },
      operator: { ...pool, options: { ...pool.options, fused_activation_function: 77 } },
    },
  ],
  [
    'a clamp without a scale',
    sound,
    'has no scale, which the fused relu needs',
    {
      builtin: MAX_POOL_2D,
      input: { sizes: [1, 2, 2, 1], quantization: null },
      output: { sizes: [1, 2, 2, 1], quantization: null },
      operator: { ...pool, options: { ...pool.options, fused_activation_function: 1 } },
    },
  ],
];

describe('a file that is not run', () => {
  it.each(cases)('for %s says so', (_title, { code, hint }, says, file) => {
    const attempt = (): unknown => prepareInterpreter(readTflite(fileOf(file), 'odd.tflite'), 'odd.tflite');
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(`error ${code}: `);
    expect(attempt).toThrow(says);
    expect(attempt).toThrow(hint);
  });
});
