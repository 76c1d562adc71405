/**
 * The ops of quantization-aware training on our own kernels (`kernels/`). They need few passes over memory where
 * TensorFlow needs many: batch norm, rectifier and quantizer are one kernel in each direction.
 *
 * A node is written for every value, even if a later, larger node computes it again. TensorFlow drops what nothing
 * uses.
 */
import { numElements } from '../../core/tensor.ts';
import type { Shape } from '../../core/tensor.ts';
import type { BatchNormAttrs } from '../../ops/batch_norm.ts';
import type { FakeQuantAttrs, ObserveRangeAttrs } from '../../ops/fake_quant.ts';
import { SMALLEST_WEIGHT_RANGE } from '../../ops/fake_quant.ts';
import type { LoweredNode, Lowerings, Permutation } from './lower.ts';
import { lowerings, rectifierGradient, storedAxis } from './lower.ts';
import type { Attributes, Writer } from './writer.ts';

interface Rectifier {
  /** The largest value that it outputs. */
  readonly limit: number;
}

/** A batch norm, and the rectifier after it. */
interface Normalized {
  readonly input: string;
  readonly mean: string;
  readonly variance: string;
  /** The least and the largest input of each channel. */
  readonly extremes: readonly [string, string];
  readonly gamma: string;
  readonly beta: string;
  readonly attrs: BatchNormAttrs;
  readonly rectifier: Rectifier | null;
}

interface Quantizer {
  readonly min: string;
  readonly max: string;
  /** A scalar that is 0 while the quantizer does nothing. */
  readonly active: string;
  readonly attrs: Pick<FakeQuantAttrs, 'bits' | 'narrowRange'>;
}

/** A gradient after a rectifier or a quantizer, and what it was before. */
interface Blocked {
  readonly gradient: string;
  /** The output of the rectifier. */
  readonly input: string;
  /** Of that value. */
  readonly normalized: Normalized | null;
  readonly quantizer: Quantizer | null;
}

/** The lowerings of one graph: they know which nodes made its values. */
export function ownLowerings(): Lowerings {
  const own = new OwnLowerings();
  return {
    ...lowerings,
    batch_norm_train: { write: (to, node) => own.batchNorm(to, node) },
    batch_norm_train_grad: { write: (to, node) => own.batchNormGradient(to, node) },
    relu: { write: (to, { inputs: [input] }) => [own.rectify(to, 'Relu', Infinity, input!)] },
    relu6: { write: (to, { inputs: [input] }) => [own.rectify(to, 'Relu6', 6, input!)] },
    relu_grad: { write: (to, node) => [own.rectifierGradient(to, node)] },
    fake_quant: { common: [0], write: (to, node) => [own.fakeQuant(to, node)] },
    fake_quant_grad: { common: [0, 1], write: (to, node) => [own.fakeQuantGradient(to, node)] },
    observe_range: { common: [0], write: (to, node) => own.observeRange(to, node) },
  };
}

/** A method for each op; the maps say of a value, by its name, which node made it. */
class OwnLowerings {
  /** By the mean that it outputs. */
  private readonly batchNorms = new Map<string, Normalized>();
  /** Outputs of batch norms and of rectifiers right after one. */
  private readonly normalized = new Map<string, Normalized>();
  private readonly rectifiers = new Map<string, Rectifier>();
  private readonly blocked = new Map<string, Blocked>();

  batchNorm(to: Writer, { inputs, attrs }: LoweredNode<'batch_norm_train'>): readonly string[] {
    const [input, gamma, beta] = inputs as readonly [string, string, string];
    const mean = to.add('QpipeBatchMoments', [input], {});
    const [variance, low, high] = [`${mean}:1`, `${mean}:2`, `${mean}:3`];
    const from = { input, mean, variance, extremes: [low, high], gamma, beta, attrs, rectifier: null } as const;
    this.batchNorms.set(mean, from);
    return [this.normalize(to, from, null), mean, variance];
  }

  batchNormGradient(to: Writer, { inputs, attrs }: LoweredNode<'batch_norm_train_grad'>): readonly string[] {
    const [gradient, input, gamma, mean, variance] = inputs as readonly [string, string, string, string, string];
    const after = this.blocked.get(gradient);
    const isOfThis = after?.normalized?.mean === mean;
    // Without a rectifier or a quantizer the gradient does not depend on the offset.
    const beta = this.batchNorms.get(mean)?.beta ?? gamma;
    const from = isOfThis ? after.normalized : { attrs, rectifier: null };
    const quantizer = isOfThis ? after.quantizer : null;
    const operands = [isOfThis ? after.gradient : gradient, input, mean, variance, gamma, beta];
    const result = to.add('QpipeNormalizeGrad', [...operands, ...range(to, quantizer)], attributesOf(from, quantizer));
    return [result, `${result}:1`, `${result}:2`];
  }

  rectify(to: Writer, op: 'Relu' | 'Relu6', limit: number, input: string): string {
    const from = this.normalized.get(input);
    const result =
      from === undefined ? to.float(op, [input]) : this.normalize(to, { ...from, rectifier: { limit } }, null);
    this.rectifiers.set(result, { limit });
    return result;
  }

  rectifierGradient(to: Writer, { inputs, attrs: { limit } }: LoweredNode<'relu_grad'>): string {
    const [gradient, input] = inputs as readonly [string, string];
    // This gradient already included that of the quantizer.
    if (this.blocked.get(gradient)?.input === input) return gradient;
    const result = rectifierGradient(to, inputs, limit);
    this.blocked.set(result, { gradient, input, normalized: this.normalized.get(input) ?? null, quantizer: null });
    return result;
  }

  fakeQuant(to: Writer, { inputs, inputShapes: [shape], attrs, layout }: LoweredNode<'fake_quant'>): string {
    const [input, min, max, active] = inputs as readonly [string, string, string, string?];
    const quantizer = { min, max, active: active ?? to.scalar(1), attrs };
    const from = attrs.axis === null ? this.normalized.get(input) : undefined;
    if (from !== undefined) return this.normalize(to, from, quantizer);
    const operands = [input, ...range(to, quantizer)];
    return to.add('QpipeFakeQuant', operands, { ...codes(attrs), ...channels(attrs, shape!, layout) });
  }

  fakeQuantGradient(
    to: Writer,
    { inputs, inputShapes: [, shape], attrs, layout }: LoweredNode<'fake_quant_grad'>,
  ): string {
    const [gradient, input, min, max, active] = inputs as readonly [string, string, string, string, string?];
    const quantizer = { min, max, active: active ?? to.scalar(1), attrs };
    const rectifier = this.rectifiers.get(input) ?? null;
    const result = to.add('QpipeFakeQuantGrad', [gradient, input, ...range(to, quantizer)], {
      ...codes(attrs),
      ...channels(attrs, shape!, layout),
      ...activation(rectifier),
    });
    const from = attrs.axis === null ? this.normalized.get(input) : undefined;
    this.blocked.set(result, { gradient, input, normalized: from ?? null, quantizer });
    return result;
  }

  observeRange(
    to: Writer,
    { inputs: [input], inputShapes: [shape], attrs, layout }: LoweredNode<'observe_range'>,
  ): readonly string[] {
    const from = attrs.axis === null && !attrs.symmetric ? this.normalized.get(input!) : undefined;
    const smallest = real(attrs.symmetric ? SMALLEST_WEIGHT_RANGE : 0);
    const min =
      from === undefined
        ? to.add('QpipeObserveRange', [input!], { ...channels(attrs, shape!, layout), smallest })
        : to.add(
            'QpipeNormalizedRange',
            [...from.extremes, from.mean, from.variance, from.gamma, from.beta],
            normAttributes(from),
          );
    return [min, `${min}:1`];
  }

  /** Writes a batch norm together with the rectifier and the quantizer that follow it. */
  private normalize(to: Writer, from: Normalized, quantizer: Quantizer | null): string {
    const operands = [from.input, from.mean, from.variance, from.gamma, from.beta];
    const result = to.add('QpipeNormalize', [...operands, ...range(to, quantizer)], attributesOf(from, quantizer));
    if (quantizer === null) this.normalized.set(result, from);
    return result;
  }
}

const integer = (value: number) => ({ kind: 'int', value }) as const;
const real = (value: number) => ({ kind: 'float', value }) as const;

/** Operands min, max and active. */
function range(to: Writer, quantizer: Quantizer | null): readonly [string, string, string] {
  const off = to.scalar(0);
  return quantizer === null ? [off, off, off] : [quantizer.min, quantizer.max, quantizer.active];
}

function attributesOf(from: Pick<Normalized, 'attrs' | 'rectifier'>, quantizer: Quantizer | null): Attributes {
  return { ...normAttributes(from), ...codes(quantizer?.attrs ?? { bits: 8, narrowRange: false }) };
}

function normAttributes({ attrs, rectifier }: Pick<Normalized, 'attrs' | 'rectifier'>): Attributes {
  return { epsilon: real(attrs.epsilon), ...activation(rectifier) };
}

function activation(rectifier: Rectifier | null): Attributes {
  return { rectified: integer(rectifier === null ? 0 : 1), limit: real(rectifier?.limit ?? Infinity) };
}

function codes({ bits, narrowRange }: Pick<FakeQuantAttrs, 'bits' | 'narrowRange'>): Attributes {
  return { bits: integer(bits), narrow: integer(narrowRange ? 1 : 0) };
}

/** Number of ranges (0: one for the whole tensor), and how many adjacent values belong to each. */
function channels({ axis }: Pick<ObserveRangeAttrs, 'axis'>, shape: Shape, layout: Permutation | null): Attributes {
  if (axis === null) return { channels: integer(0), inner: integer(1) };
  const stored = storedAxis(axis, layout);
  return { channels: integer(shape[stored]!), inner: integer(numElements(shape.slice(stored + 1))) };
}
