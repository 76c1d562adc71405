import { internal } from '../core/assert.ts';
import type { Tensor } from '../core/tensor.ts';
import { numElements, zeros } from '../core/tensor.ts';
import { inferTypes } from '../graph/builder.ts';
import type { IntegerKernelFactory, ValueRef } from '../ops/define.ts';
import { runsWithoutScale } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { ops } from '../ops/index.ts';

// Shapes have a handful of dimensions; anything longer is data and stays an operator.
const mostElements = 64;

/**
 * What an operator computes when it can be known before the model runs: SHAPE, and operators that move or compare int32
 * constants. Converters build the shapes for RESHAPE and TRANSPOSE_CONV this way when the batch is dynamic.
 *
 * @param constants known values by name
 * @returns the outputs; null for an operator that runs with the model
 * @throws ShapeError when the operands do not fit
 */
export function foldShapes(
  op: OpName,
  operands: readonly ValueRef[],
  attrs: Attrs[OpName],
  constants: ReadonlyMap<string, Tensor>,
): readonly Tensor<'int32'>[] | null {
  const values = operands.flatMap(({ name }) => constants.get(name) ?? []);
  const isKnown =
    op === 'shape' || (values.length === operands.length && values.every(({ dtype }) => dtype === 'int32'));
  if (!isKnown || !runsWithoutScale(ops[op].quant, 'int32')) return null;
  const types = inferTypes(op, op, operands, attrs);
  if (types.some(({ dtype, shape }) => dtype !== 'int32' || numElements(shape) > mostElements)) return null;
  // The op's own record made these attributes, so its own kernel reads them.
  const factory = (ops[op].int8 ?? internal(`${op} has no integer kernel`)) as IntegerKernelFactory<Attrs[OpName]>;
  const kernel = factory({
    inputs: operands.map(({ type }) => ({ type, quant: null })),
    outputs: types.map((type) => ({ type, quant: null })),
    attrs,
  });
  const outputs = types.map(({ shape }) => zeros('int32', shape));
  // SHAPE looks at types only.
  const inputs = values.flatMap(({ data }) => (data instanceof Int32Array ? [data] : []));
  kernel(
    inputs,
    outputs.map(({ data }) => data),
  );
  return outputs;
}
