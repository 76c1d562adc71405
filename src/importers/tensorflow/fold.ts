/** Ops on constants: shapes that are computed, and weights that are prepared. */
import type { FloatTensor } from '../../core/tensor.ts';
import { numElements, tensor } from '../../core/tensor.ts';
import { readBool, readNumber } from '../../ops/bindings.ts';
import type { FloatKernel } from '../../ops/define.ts';
import type { Attrs, OpName } from '../../ops/index.ts';
import { ops } from '../../ops/index.ts';
import type { ElementKind, Elements } from '../elements.ts';
import { axisOf, combined, counted, filled, gathered, mapped, numberOf, reduced } from '../elements.ts';
import { refuse } from '../refusal.ts';
import type { Call, Value } from './context.ts';
import { input, shapeOf, staticInput, wholeNumbersIn } from './context.ts';
import { normPart } from './rules/arithmetic.ts';
import { readRow } from './rules/rows.ts';
import type { Static } from './static.ts';
import { asFloats, integers, scalar } from './static.ts';

type Folding = (call: Call) => readonly Static[];

const at = (call: Call, index: number): Static => staticInput(call, index, `its input ${index}`);

/** A value of the node. */
const made = ({ node }: Call, elements: Elements): Static => ({
  kind: 'static',
  ...elements,
  name: node.name,
  part: null,
});

const unary =
  (compute: (x: number) => number): Folding =>
  (call) => {
    const a = at(call, 0);
    return [{ ...made(call, mapped(call.target, a, compute)), part: normPart(call.node.op, [a]) }];
  };

const binary =
  (compute: (a: number, b: number) => number, type?: ElementKind): Folding =>
  (call) => {
    const [a, b] = [at(call, 0), at(call, 1)];
    return [{ ...made(call, combined(call.target, a, b, compute, type)), part: normPart(call.node.op, [a, b]) }];
  };

const reduction =
  (start: number, combine: (total: number, x: number) => number): Folding =>
  (call) => {
    const a = at(call, 0);
    const axes = wholeNumbersIn(call, 1, 'its axes').map((axis) => axisOf(axis, a.shape.length));
    const keepDims = readBool(call.node, 'keep_dims', false);
    return [made(call, reduced(call.target, a, { axes, keepDims }, start, combine))];
  };

function cast(call: Call): readonly Static[] {
  const a = at(call, 0);
  const to = call.node.attributes.get('DstT');
  const type = to?.kind === 'type' ? to.value : 'invalid';
  const as = (kind: ElementKind, convert: (x: number) => number): readonly Static[] => [
    made(call, mapped(call.target, { ...a, type: kind }, convert)),
  ];
  if (type === 'float32') return as('float', (x) => x);
  if (type === 'bool') return as('boolean', (x) => Number(x !== 0));
  if (!/^u?int\d+$/.test(type)) return refuse(`it makes ${type}; expected float32 or whole numbers`);
  return as('integer', Math.trunc);
}

function gather(call: Call): readonly Static[] {
  const a = at(call, 0);
  const axis = call.inputs.length > 2 ? axisOf(numberOf(at(call, 2)) ?? 0, a.shape.length) : 0;
  return [made(call, gathered(call.target, a, axis, at(call, 1)))];
}

function pack(call: Call): readonly Static[] {
  const parts = call.inputs.map((_, index) => at(call, index));
  const [first] = parts;
  if (first === undefined || readNumber(call.node, 'axis', 0) !== 0)
    return refuse('it packs constants along a later axis');
  const values = parts.flatMap(({ data }) => Array.from(data));
  const shape = [parts.length, ...first.shape];
  return [
    made(
      call,
      filled(call.target, first.type, shape, (index) => values[index] ?? 0),
    ),
  ];
}

function expandDims(call: Call): readonly Static[] {
  const a = at(call, 0);
  const axis = axisOf(numberOf(at(call, 1)) ?? 0, a.shape.length + 1);
  return [{ ...a, shape: [...a.shape.slice(0, axis), 1, ...a.shape.slice(axis)], part: null }];
}

function reshape(call: Call): readonly Static[] {
  const a = at(call, 0);
  const wanted = wholeNumbersIn(call, 1, 'its shape');
  const known = wanted.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const shape = wanted.map((size) => (size === -1 ? a.data.length / known : size));
  if (numElements(shape) !== a.data.length)
    return refuse(`it reshapes [${a.shape.join(',')}] to [${wanted.join(',')}]`);
  return [{ ...a, shape, part: null }];
}

function range(call: Call): readonly Static[] {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((index) => numberOf(at(call, index)) ?? 0);
  return [made(call, counted(call.target, at(call, 0).type, start, limit, delta))];
}

function fill(call: Call): readonly Static[] {
  const [value, shape] = [at(call, 1), wholeNumbersIn(call, 0, 'its shape')];
  return [
    made(
      call,
      filled(call.target, value.type, shape, () => numberOf(value) ?? 0),
    ),
  ];
}

const foldings: { readonly [op: string]: Folding } = {
  ...{ Add: binary((a, b) => a + b), AddV2: binary((a, b) => a + b), Sub: binary((a, b) => a - b) },
  ...{ Mul: binary((a, b) => a * b), RealDiv: binary((a, b) => a / b), Div: binary((a, b) => a / b) },
  ...{ FloorDiv: binary((a, b) => Math.floor(a / b)), FloorMod: binary((a, b) => a - b * Math.floor(a / b)) },
  ...{ Maximum: binary(Math.max), Minimum: binary(Math.min), Pow: binary((a, b) => a ** b) },
  ...{ Equal: binary((a, b) => Number(a === b), 'boolean'), NotEqual: binary((a, b) => Number(a !== b), 'boolean') },
  ...{ Greater: binary((a, b) => Number(a > b), 'boolean'), Less: binary((a, b) => Number(a < b), 'boolean') },
  ...{ LogicalAnd: binary((a, b) => a * b), LogicalOr: binary(Math.max), LogicalNot: unary((a) => 1 - a) },
  ...{
    Neg: unary((x) => -x),
    Sqrt: unary(Math.sqrt),
    Rsqrt: unary((x) => 1 / Math.sqrt(x)),
    Square: unary((x) => x * x),
  },
  ...{ Reciprocal: unary((x) => 1 / x), Exp: unary(Math.exp), Log: unary(Math.log), Abs: unary(Math.abs) },
  ...{
    Prod: reduction(1, (total, x) => total * x),
    Max: reduction(-Infinity, Math.max),
    Min: reduction(Infinity, Math.min),
  },
  ...{
    Cast: cast,
    GatherV2: gather,
    Gather: gather,
    Pack: pack,
    ExpandDims: expandDims,
    Reshape: reshape,
    Range: range,
    Fill: fill,
  },
};

/** Ops whose result follows from the shape of their input. */
const ofShapes: { readonly [op: string]: Folding } = {
  Shape: (call) => [integers(shapeOf(input(call, 0)), call.node.name)],
  Size: (call) => [scalar(numElements(shapeOf(input(call, 0))), call.node.name)],
  Rank: (call) => [scalar(shapeOf(input(call, 0)).length, call.node.name)],
};

/** What a float32 holds exactly. */
const mostWhole = 2 ** 24;

/** An op of ours on constants, by its own loops. */
function byKernel(call: Call): readonly Static[] | null {
  const row = readRow(call);
  if (row === null || ops[row.op].float === null || ops[row.op].quant.kind === 'affine') return null;
  const operands = row.operands.map((value) =>
    value.kind === 'static' ? value : refuse('it mixes constants and others'),
  );
  const [first] = operands;
  if (first === undefined) return null;
  if (first.type !== 'float' && first.data.some((x) => Math.abs(x) > mostWhole))
    return refuse('its whole numbers are too large');
  const inputs = operands.map(asFloats);
  const types = ops[row.op].infer(inputs, row.attrs as never); // of this very row
  const outputs = types.map(({ shape }): FloatTensor => {
    call.target.take(numElements(shape));
    return tensor('float32', shape, new Float32Array(numElements(shape)));
  });
  const kernel = ops[row.op].float as FloatKernel<Attrs[OpName]>;
  kernel(inputs, row.attrs, outputs);
  return outputs.map(({ shape, data }) =>
    made(
      call,
      filled(call.target, first.type, shape, (at) => data[at] ?? 0),
    ),
  );
}

export const foldedOps: readonly string[] = [...Object.keys(foldings), ...Object.keys(ofShapes)];

/** The values of a node that depends on no input of the network; null for one that does, or that is not known here. */
export function folded(call: Call): readonly Value[] | null {
  const ofShape = ofShapes[call.node.op];
  if (ofShape !== undefined) return ofShape(call);
  if (call.inputs.length === 0 || !call.inputs.every(({ kind }) => kind === 'static')) return null;
  const fold = foldings[call.node.op];
  return fold === undefined ? byKernel(call) : fold(call);
}
