/** Functions that float graphs have no op for, in ops that they have. */
import type { ValueRef } from '../ops/define.ts';
import type { GraphWriter } from './graph-writer.ts';
import { refuse } from './refusal.ts';

/** Where the ops of one node of a file go, and how they are called. */
export interface Steps {
  readonly writer: GraphWriter;
  /** Of an op on the way, or of what a constant is. */
  readonly inner: (part: string) => string;
  /** Of the op that makes the result. */
  readonly last: (op: string) => string;
}

/** Every op named after the node and the op. */
export const stepsOf = (writer: GraphWriter, name: string): Steps => {
  const part = (op: string): string => `${name}/${op}`;
  return { writer, inner: part, last: part };
};

/** The same where the result is only on the way to another. */
const onTheWay = (steps: Steps): Steps => ({ ...steps, last: steps.inner });

const plain = { activation: 'none' } as const;

type Arithmetic = 'add' | 'sub' | 'mul';

const combined = ({ writer, last }: Steps, op: Arithmetic, a: ValueRef, b: ValueRef): ValueRef =>
  writer.add(op, last(op), [a, b], plain);

const number = ({ writer, inner }: Steps, part: string, value: number): ValueRef =>
  writer.numbers(inner(part), [1], [value]);

const relu = ({ writer, last }: Steps, value: ValueRef): ValueRef => writer.add('relu', last('relu'), [value], {});

/** value * factor, or the value itself. */
export const times = (steps: Steps, value: ValueRef, factor: number): ValueRef =>
  factor === 1 ? value : combined(steps, 'mul', value, number(steps, 'factor', factor));

/** value + offset, or the value itself. */
export const plus = (steps: Steps, value: ValueRef, offset: number): ValueRef =>
  offset === 0 ? value : combined(steps, 'add', value, number(steps, 'offset', offset));

export const negated = (steps: Steps, value: ValueRef): ValueRef => times(steps, value, -1);

/** relu(x) + relu(-x) */
export function absolute(steps: Steps, value: ValueRef): ValueRef {
  const inner = onTheWay(steps);
  return combined(steps, 'add', relu(inner, value), relu(inner, negated(inner, value)));
}

/** max(a - b, 0) */
const excess = (steps: Steps, a: ValueRef, b: ValueRef): ValueRef => relu(steps, combined(steps, 'sub', a, b));

/** max(a, b) = relu(a - b) + b */
export const larger = (steps: Steps, a: ValueRef, b: ValueRef): ValueRef =>
  combined(steps, 'add', excess(onTheWay(steps), a, b), b);

/** min(a, b) = a - relu(a - b) */
export const smaller = (steps: Steps, a: ValueRef, b: ValueRef): ValueRef =>
  combined(steps, 'sub', a, excess(onTheWay(steps), a, b));

/** What a value is at least and at most because of the op that makes it. */
function knownLimits(writer: GraphWriter, value: ValueRef): readonly [low: number, high: number] {
  switch (writer.makerOf(value)?.op) {
    case 'relu':
      return [0, Infinity];
    case 'relu6':
      return [0, 6];
    case 'logistic':
    case 'softmax':
      return [0, 1];
    case 'tanh':
      return [-1, 1];
    default:
      return [-Infinity, Infinity];
  }
}

/** min(max(value, low), high). Rectifiers are the only ops that clip: other limits are theirs, moved and scaled. */
export function clipped(steps: Steps, value: ValueRef, low: number, high: number): ValueRef {
  const { writer, last } = steps;
  if (!(low <= high)) refuse(`it clips to ${low} .. ${high}; expected a lower end below the upper one`);
  const [least, most] = knownLimits(writer, value);
  if (low <= least && high >= most) return value;
  const maker = writer.makerOf(value);
  const [rectified] = maker?.op === 'relu' ? maker.inputs : [];
  // A rectifier before it is the lower limit, as some exporters write relu6.
  if (rectified !== undefined && low <= 0 && high > 0) return clipped(steps, rectified, 0, high);
  if (low === 0 && high === 6) return writer.add('relu6', last('relu6'), [value], {});
  if (low === 0 && high === Infinity) return relu(steps, value);
  const inner = onTheWay(steps);
  if (high === Infinity) return plus(steps, relu(inner, plus(inner, value, -low)), low);
  if (low === -Infinity) {
    const end = number(steps, 'high', high);
    return combined(steps, 'sub', end, excess(inner, end, value));
  }
  if (low === high) return plus(steps, times(inner, value, 0), low);
  const scale = 6 / (high - low);
  const moved = times(inner, plus(inner, value, -low), scale);
  const within = writer.add('relu6', inner.last('relu6'), [moved], {});
  return low === 0 ? times(steps, within, 1 / scale) : plus(steps, times(inner, within, 1 / scale), low);
}

/** max(0, min(1, slope * x + offset)) = relu6(6 * slope * x + 6 * offset) / 6 */
export function hardSigmoid(steps: Steps, value: ValueRef, slope: number, offset: number): ValueRef {
  // A sixth, as float32 has it, makes 1.
  const factor = Math.abs(6 * slope - 1) < 1e-6 ? 1 : 6 * slope;
  const inner = onTheWay(steps);
  const moved = plus(inner, times(inner, value, factor), 6 * offset);
  return times(steps, steps.writer.add('relu6', inner.last('relu6'), [moved], {}), 1 / 6);
}
