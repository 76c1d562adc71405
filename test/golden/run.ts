/** Short forms to call one op's loops on numbers written in a test. */
import type { QuantParams } from '../../src/core/affine.ts';
import { internal } from '../../src/core/assert.ts';
import type { FloatTensor, Shape } from '../../src/core/tensor.ts';
import { numElements, zeros } from '../../src/core/tensor.ts';
import type { IntegerOperand, OpDef } from '../../src/ops/define.ts';

export interface StoredTensor extends IntegerOperand {
  readonly data: Int8Array | Uint8Array | Int32Array;
}

/** `scale` is rounded to float32, as files store it. */
export function perTensor(scale: number, zeroPoint: number): QuantParams {
  return { kind: 'per_tensor', scale: Math.fround(scale), zeroPoint };
}

export function stored(
  dtype: 'int8' | 'uint8' | 'int32',
  shape: Shape,
  values: readonly number[],
  quant: QuantParams | null,
): StoredTensor {
  const data = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array }[dtype].from(values);
  if (data.length !== numElements(shape)) internal(`${data.length} values for [${shape.join(',')}]`);
  return { type: { dtype, shape }, quant, data };
}

/** The codes of output 0. */
export function runInteger<Name extends string, Attrs>(
  definition: OpDef<Name, Attrs>,
  inputs: readonly StoredTensor[],
  attrs: NoInfer<Attrs>,
  quant: QuantParams,
): readonly number[] {
  const [type] = definition.infer(
    inputs.map((input) => input.type),
    attrs,
  );
  if (type === undefined || definition.int8 === null) return internal('the op has no integer kernel');
  const count = numElements(type.shape);
  const output = type.dtype === 'uint8' ? new Uint8Array(count) : new Int8Array(count);
  definition.int8({ inputs, outputs: [{ type, quant }], attrs })(
    inputs.map(({ data }) => data),
    [output],
  );
  return [...output];
}

/** The values of all outputs. */
export function runFloat<Name extends string, Attrs>(
  definition: OpDef<Name, Attrs>,
  inputs: readonly FloatTensor[],
  attrs: NoInfer<Attrs>,
): readonly (readonly number[])[] {
  if (definition.float === null) return internal('the op has no float form');
  const outputs = definition.infer(inputs, attrs).map(({ shape }) => zeros('float32', shape));
  definition.float(inputs, attrs, outputs);
  return outputs.map(({ data }) => [...data]);
}
