/** Ops on constants: exporters compute shapes and prepare weights by nodes. */
import type { Shape } from '../../core/tensor.ts';
import { numElements, strides } from '../../core/tensor.ts';
import { broadcastShapes } from '../../ops/broadcast.ts';
import type { ElementKind } from '../elements.ts';
import { axisOf, combined, counted, gathered, mapped, numberOf, reduced, walk } from '../elements.ts';
import { refuse } from '../refusal.ts';
import type { Call, Value } from './context.ts';
import { axesOf, optionalIntegers, required, staticIn, valueShape } from './context.ts';
import {
  flattenedShape,
  permutationOf,
  slicesOf,
  splitSizes,
  squeezedShape,
  unsqueezedShape,
  wantedShape,
} from './rules/movement.ts';
import type { Static } from './static.ts';
import {
  broadcastStatic,
  elementType,
  emptyLike,
  inShape,
  integers,
  permutedStatic,
  picked,
  readStatic,
} from './static.ts';

/** The values of a node's outputs. All inputs are constants. */
type Folding = (call: Call) => readonly Static[];

const inputOf = (call: Call): Static => staticIn(call, 0);

function reshaped(call: Call, shape: Shape): readonly Static[] {
  const value = inputOf(call);
  if (numElements(shape) !== value.data.length || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    refuse(`it reshapes [${value.shape.join(',')}] to [${shape.join(',')}]`);
  }
  return [inShape(value, shape)];
}

const unary =
  (compute: (x: number) => number): Folding =>
  (call) => {
    const value = inputOf(call);
    return [{ ...value, ...mapped(call.graph, value, compute) }];
  };

/** @param kind of the result, where it is not that of the first operand */
const binary =
  (compute: (a: number, b: number) => number, kind?: ElementKind): Folding =>
  (call) => {
    const [a, b] = [staticIn(call, 0), staticIn(call, 1)];
    return [{ ...a, ...combined(call.graph, a, b, compute, kind) }];
  };

const several =
  (compute: (a: number, b: number) => number): Folding =>
  (call) => {
    const fold = binary(compute);
    const [first, ...rest] = call.inputs.map((_, index) => staticIn(call, index));
    return [rest.reduce((a, b) => fold({ ...call, inputs: [a, b] })[0] ?? a, first ?? refuse('it has no input'))];
  };

const reduction =
  (
    start: number,
    combine: (total: number, x: number) => number,
    finish?: (total: number, count: number) => number,
  ): Folding =>
  (call) => {
    const value = inputOf(call);
    const named = optionalIntegers(call, 1) ?? call.attributes.ints('axes');
    const axes = named === null ? value.shape.map((_, axis) => axis) : axesOf(named, value.shape.length);
    const keepDims = call.attributes.int('keepdims', 1) !== 0;
    return [{ ...value, ...reduced(call.graph, value, { axes, keepDims }, start, combine, finish) }];
  };

function constant(call: Call): readonly Static[] {
  const { attributes, node } = call;
  const name = node.outputs[0] ?? '';
  const value = attributes.tensor('value');
  if (value !== null) {
    call.graph.take(numElements(value.shape));
    const outside = (): never => refuse('its value is in another file; expected it in the node');
    return [{ ...readStatic(value, outside), name }];
  }
  if (attributes.has('value_float')) return [number('float', [], [attributes.float('value_float', 0)], name)];
  if (attributes.has('value_int')) return [integers([], [attributes.int('value_int', 0)], name)];
  const numbers = attributes.floats('value_floats');
  if (numbers !== null) return [number('float', [numbers.length], numbers, name)];
  const whole = attributes.ints('value_ints') ?? refuse('it holds no numbers; expected a tensor');
  return [integers([whole.length], whole, name)];
}

const number = (type: ElementKind, shape: Shape, values: readonly number[], name: string): Static => ({
  ...{ kind: 'static', type, shape, name },
  data: type === 'float' ? Float32Array.from(values) : Float64Array.from(values),
});

function constantOfShape(call: Call): readonly Static[] {
  const shape = Array.from(inputOf(call).data);
  const given = call.attributes.tensor('value');
  const outside = (): never => refuse('its value is in another file; expected it in the node');
  const one = given === null ? number('float', [1], [0], '') : readStatic(given, outside);
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) refuse(`it asks for [${shape.join(',')}]`);
  call.graph.take(numElements(shape));
  return [{ ...one, shape, data: emptyLike(one, numElements(shape)).fill(numberOf(one) ?? 0), name: call.name }];
}

/** The kind of elements after a cast. */
function kindAfter(dataType: number): ElementKind {
  return elementType(dataType)?.kind ?? refuse(`it casts to data type ${dataType}; expected numbers`);
}

const cast: Folding = (call) => castTo(call, kindAfter(call.attributes.int('to', 0)));

function castTo(call: Call, kind: ElementKind): readonly Static[] {
  const value = inputOf(call);
  const convert = { float: (x: number) => x, integer: Math.trunc, boolean: (x: number) => Number(x !== 0) };
  return [{ ...value, ...mapped(call.graph, { ...value, type: kind }, convert[kind]) }];
}

function stretched(call: Call, shape: Shape): readonly Static[] {
  const value = inputOf(call);
  const wide = broadcastShapes(value.shape, shape);
  call.graph.take(numElements(wide));
  return [broadcastStatic(value, wide)];
}

function gather(call: Call): readonly Static[] {
  const value = inputOf(call);
  const axis = axisOf(call.attributes.int('axis', 0), value.shape.length);
  return [{ ...value, ...gathered(call.graph, value, axis, staticIn(call, 1)) }];
}

function concat(call: Call): readonly Static[] {
  const parts = call.inputs.map((_, index) => staticIn(call, index));
  const [first] = parts;
  if (first === undefined) return refuse('it has no input');
  const axis = axisOf(call.attributes.int('axis', 0), first.shape.length);
  const fits = ({ shape }: Static): boolean =>
    shape.length === first.shape.length && shape.every((size, at) => at === axis || size === first.shape[at]);
  if (!parts.every(fits)) refuse('its inputs do not fit together');
  const shape = first.shape.map((size, at) =>
    at === axis ? parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0) : size,
  );
  call.graph.take(numElements(shape));
  const data = emptyLike(first, numElements(shape));
  const inner = numElements(shape.slice(axis + 1));
  const row = (shape[axis] ?? 0) * inner;
  let start = 0;
  for (const part of parts) {
    const own = (part.shape[axis] ?? 0) * inner;
    for (const [index, x] of part.data.entries()) data[Math.floor(index / own) * row + start + (index % own)] = x;
    start += own;
  }
  return [{ ...first, shape, data }];
}

/** Indices `begin`, `begin + step`, … of one axis. */
function sliced(value: Static, axis: number, begin: number, step: number, count: number): Static {
  const own = strides(value.shape);
  const shape = value.shape.map((size, at) => (at === axis ? count : size));
  const offset = begin * (own[axis] ?? 1);
  const at = walk(
    shape,
    own.map((stride, one) => (one === axis ? stride * step : stride)),
  );
  return picked(value, shape, (index) => offset + at(index));
}

function slice(call: Call): readonly Static[] {
  const value = inputOf(call);
  return [
    slicesOf(call, value.shape).reduce(
      (result, { axis, begin, step, count }) => sliced(result, axis, begin, step, count),
      value,
    ),
  ];
}

function split(call: Call): readonly Static[] {
  const value = inputOf(call);
  const axis = axisOf(call.attributes.int('axis', 0), value.shape.length);
  let start = 0;
  return splitSizes(call, value.shape[axis] ?? 1).map((size) => {
    start += size;
    return sliced(value, axis, start - size, 1, size);
  });
}

function tile(call: Call): readonly Static[] {
  const value = inputOf(call);
  const times = Array.from(staticIn(call, 1).data);
  const shape = value.shape.map((size, axis) => size * (times[axis] ?? 1));
  if (times.length !== shape.length || !shape.every((size) => Number.isInteger(size) && size >= 0))
    refuse('its repetitions do not fit');
  call.graph.take(numElements(shape));
  const own = strides(shape);
  const from = strides(value.shape);
  const at = (index: number): number =>
    value.shape.reduce((sum, size, axis) => sum + (Math.floor(index / (own[axis] ?? 1)) % size) * (from[axis] ?? 1), 0);
  return [picked(value, shape, at)];
}

function range(call: Call): readonly Static[] {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((index) => numberOf(staticIn(call, index)) ?? 0);
  const like = inputOf(call);
  return [{ ...like, ...counted(call.graph, like.type, start, limit, delta) }];
}

function where(call: Call): readonly Static[] {
  const [condition, a, b] = [0, 1, 2].map((index) => staticIn(call, index)) as [Static, Static, Static];
  const shape = broadcastShapes(broadcastShapes(condition.shape, a.shape), b.shape);
  call.graph.take(numElements(shape));
  const [which, left, right] = [condition, a, b].map((value) => broadcastStatic(value, shape)) as [
    Static,
    Static,
    Static,
  ];
  const data = emptyLike(left, which.data.length).map(
    (_, index) => (which.data[index] === 0 ? right : left).data[index] ?? 0,
  );
  return [{ ...left, data }];
}

const foldings: { readonly [opType: string]: Folding } = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Cast: cast,
  CastLike: (call) => castTo(call, staticIn(call, 1).type),
  Identity: (call) => [inputOf(call)],
  Reshape: (call) =>
    reshaped(
      call,
      wantedShape(inputOf(call).shape, Array.from(staticIn(call, 1).data), call.attributes.int('allowzero', 0) !== 0),
    ),
  Flatten: (call) => reshaped(call, flattenedShape(inputOf(call).shape, call.attributes.int('axis', 1))),
  Squeeze: (call) => reshaped(call, squeezedShape(call, inputOf(call).shape)),
  Unsqueeze: (call) => reshaped(call, unsqueezedShape(call, inputOf(call).shape)),
  Transpose: (call) => {
    call.graph.take(inputOf(call).data.length);
    return [permutedStatic(inputOf(call), permutationOf(call, inputOf(call).shape.length))];
  },
  Expand: (call) => stretched(call, Array.from(staticIn(call, 1).data)),
  Gather: gather,
  Concat: concat,
  Slice: slice,
  Split: split,
  Tile: tile,
  Range: range,
  Where: where,
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Reciprocal: unary((x) => 1 / x),
  Sign: unary(Math.sign),
  Relu: unary((x) => Math.max(x, 0)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Pow: binary((a, b) => a ** b),
  Mod: binary((a, b) => a - b * Math.floor(a / b)),
  Equal: binary((a, b) => Number(a === b), 'boolean'),
  Less: binary((a, b) => Number(a < b), 'boolean'),
  LessOrEqual: binary((a, b) => Number(a <= b), 'boolean'),
  Greater: binary((a, b) => Number(a > b), 'boolean'),
  GreaterOrEqual: binary((a, b) => Number(a >= b), 'boolean'),
  And: binary((a, b) => a * b),
  Or: binary((a, b) => Math.max(a, b)),
  Max: several(Math.max),
  Min: several(Math.min),
  Sum: several((a, b) => a + b),
  ReduceSum: reduction(0, (total, x) => total + x),
  ReduceProd: reduction(1, (total, x) => total * x),
  ReduceMax: reduction(-Infinity, Math.max),
  ReduceMin: reduction(Infinity, Math.min),
  ReduceMean: reduction(
    0,
    (total, x) => total + x,
    (total, count) => total / count,
  ),
};

/** Ops whose result follows from the shape of their input. */
const ofShapes: { readonly [opType: string]: Folding } = {
  Shape: (call) => {
    const shape = valueShape(required(call, 0));
    const end = call.attributes.int('end', shape.length);
    const wanted = shape.slice(call.attributes.int('start', 0), end);
    return [integers([wanted.length], wanted, call.name)];
  },
  Size: (call) => [integers([], [numElements(valueShape(required(call, 0)))], call.name)],
};

export const foldedOps: readonly string[] = [...Object.keys(foldings), ...Object.keys(ofShapes)];

/** The values of a node that depends on no input of the network; null for one that does, or whose op is not known here. */
export function folded(call: Call): readonly Value[] | null {
  const ofShape = ofShapes[call.node.opType];
  if (ofShape !== undefined) return ofShape(call);
  const fold = foldings[call.node.opType];
  const isConstant = call.inputs.every((value) => value === null || value.kind === 'static');
  return fold === undefined || !isConstant ? null : fold(call);
}
