/** Ops of TensorFlow that are an op of ours: the table of ops reads their attributes. */
import { internal } from '../../../core/assert.ts';
import type { VariableRole } from '../../../graph/roles.ts';
import type { GraphDefRead, ValueRef } from '../../../ops/define.ts';
import type { Attrs, OpName } from '../../../ops/index.ts';
import { opNames, ops } from '../../../ops/index.ts';
import { refuse } from '../../refusal.ts';
import type { Affine, Call, Value } from '../context.ts';
import { computed, input, operandOf, shapeOf } from '../context.ts';
import type { Static } from '../static.ts';
import { asIntegers } from '../static.ts';

interface Row {
  readonly op: OpName;
  readonly read: GraphDefRead<Attrs[OpName]>;
}

/** Without the quantizers, which float graphs do not have. */
export const rows: ReadonlyMap<string, Row> = new Map(
  opNames.flatMap((op) =>
    op === 'fake_quant'
      ? []
      : Object.entries(ops[op].graphdef?.reads ?? {}).map(
          ([tensorflowOp, read]) => [tensorflowOp, { op, read }] as const,
        ),
  ),
);

/** A node in terms of our op: the operands are among the node's inputs. */
export interface RowNode {
  readonly op: OpName;
  readonly attrs: Attrs[OpName];
  readonly operands: readonly Value[];
}

/** What the row of a node's op reads; null where no row has it. */
export function readRow(call: Call): RowNode | null {
  const row = rows.get(call.node.op);
  if (row === undefined) return null;
  const { op } = row;
  const required = ops[op].operands.filter((operand) => operand.optional !== true).length;
  if (call.inputs.length < required) refuse(`it has ${call.inputs.length} inputs; expected ${required}`);
  const at = (name: string): Value => input(call, Number(name));
  const { inputs, attrs } = row.read(call.node, {
    inputs: call.inputs.map((_, index) => String(index)),
    shapeOf: (name) => shapeOf(at(name)),
    constant(name) {
      const value = at(name);
      return value.kind === 'static' ? asIntegers(value) : refuse(`its input ${name} must be constant`);
    },
  });
  return { op, attrs, operands: inputs.map(at) };
}

/** The role of a constant operand that is a weight; null for one that stays a constant. */
function roleOf(op: OpName, position: number): VariableRole | null {
  if (op === 'prelu') return position === 1 ? 'slope' : null;
  if (op === 'batch_norm') return (['gamma', 'beta', 'moving_mean', 'moving_variance'] as const)[position - 1] ?? null;
  const role = ops[op].operands[position]?.role;
  return role === 'weight' || role === 'bias' ? role : null;
}

/** An operand of an op of ours: a weight where it is one to this op. */
export function rowOperand(call: Call, op: OpName, value: Value, position: number): ValueRef {
  const role = roleOf(op, position);
  if (role === null) return operandOf(call.target, value);
  const layout = ops[op].graphdef?.layouts?.[position] ?? null;
  if (value.kind === 'static') return call.target.variable(value, role, layout);
  if (op === 'prelu') return operandOf(call.target, value);
  return refuse(
    `its ${role} is computed by the network; expected a constant`,
    'weights are trained, which no layer makes',
  );
}

/** The node as one of ours, or, of a layer with weights, the layer that still takes a bias. */
export function byRow(call: Call): readonly Value[] {
  const row = readRow(call) ?? internal(`no row reads ${call.node.op}`);
  const { op, attrs, operands } = row;
  if (ops[op].quant.kind === 'affine') return [affine(call, row)];
  const refs = operands.map((value, position) => rowOperand(call, op, value, position));
  return call.target.addAll(op, call.node.name, refs, attrs).map(computed);
}

/** @param given in place of the node's own name and attributes */
export function affine(call: Call, { op, attrs, operands }: RowNode): Affine {
  const refs = operands.map((value, position) => rowOperand(call, op, value, position));
  const [output] = ops[op].infer(
    refs.map(({ type }) => type),
    attrs as never, // of this very row
  );
  const shape = output?.shape ?? internal(`${op} has no output`);
  return {
    kind: 'affine',
    shape,
    finish(name, bias) {
      const all = bias === null ? refs : [...refs, biasOf(call, bias)];
      return call.target.add(op, name, all, attrs);
    },
  };
}

const biasOf = (call: Call, bias: Static): ValueRef => call.target.variable(bias, 'bias');
