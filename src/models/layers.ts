import type { OpName } from '../ops/index.ts';

/** A network as a list of layers, everything present: the common form of presets and of a pipeline's `layers:`. */
export const activationFunctions = [
  'relu',
  'relu6',
  'leaky_relu',
  'hard_swish',
  'logistic',
  'tanh',
] as const satisfies readonly OpName[];

export type ActivationFunction = (typeof activationFunctions)[number];

export interface Activated {
  readonly activation: 'none' | ActivationFunction;
  /** Slope of leaky_relu below zero. */
  readonly alpha?: number;
}

interface NamedLayer {
  readonly name: string;
  /** The earlier layer whose output this one takes; left out, it is the layer before. */
  readonly input?: string;
}

export type Layer = NamedLayer & LayerBody;

/** [vertical, horizontal] */
type Pair = readonly [number, number];

/** A filter of the layer's own, then batch norm, then the activation. */
interface Affine extends Activated {
  readonly bias: boolean;
  readonly batch_norm: boolean;
}

interface Convolution extends Affine {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: 'same' | 'valid';
}

/**
 * Axes count the batch as 0, as TensorFlow does; no layer touches that one. There is no split: a layer has one output,
 * and strided_slice takes a part.
 */
type LayerBody =
  | (Convolution & { readonly kind: 'conv_2d'; readonly filters: number; readonly dilation: Pair })
  | (Convolution & {
      readonly kind: 'depthwise_conv_2d';
      /** Output channels per input channel. */
      readonly multiplier: number;
      readonly dilation: Pair;
    })
  | (Convolution & { readonly kind: 'transpose_conv'; readonly filters: number })
  | (Affine & { readonly kind: 'fully_connected'; readonly units: number })
  | {
      readonly kind: 'max_pool_2d' | 'average_pool_2d';
      readonly window: Pair;
      readonly stride: Pair;
      readonly padding: 'same' | 'valid';
    }
  | { readonly kind: 'mean' | 'sum'; readonly keep_dims?: boolean }
  | { readonly kind: 'flatten' | 'batch_norm' | 'softmax' | 'l2_normalization' }
  | { readonly kind: 'activation'; readonly function: ActivationFunction; readonly alpha?: number }
  | (Activated & { readonly kind: 'add' | 'sub' | 'mul'; readonly with: string })
  | { readonly kind: 'concatenation'; readonly with: readonly string[]; readonly axis: number }
  | { readonly kind: 'dropout'; readonly rate: number }
  | ({ readonly kind: 'pad' } & { readonly [side in 'top' | 'bottom' | 'left' | 'right']: number })
  /** Exactly one of `size` and `factor` is there. */
  | {
      readonly kind: 'resize_bilinear' | 'resize_nearest_neighbor';
      readonly size?: Pair;
      readonly factor?: Pair;
    }
  | { readonly kind: 'reshape'; readonly shape: readonly number[] }
  | { readonly kind: 'transpose'; readonly permutation: readonly number[] }
  | { readonly kind: 'squeeze'; readonly axes: readonly number[] }
  | {
      readonly kind: 'strided_slice';
      readonly begin: readonly number[];
      readonly end: readonly number[];
      /** As long as `begin`. */
      readonly strides: readonly number[];
    };

/** The earlier layers that a layer names, with the steps to the field that does. */
export function namedLayers(layer: Layer): readonly (readonly [path: readonly string[], name: string])[] {
  const input = layer.input === undefined ? [] : [[['input'], layer.input] as const];
  if (!('with' in layer)) return input;
  const others =
    typeof layer.with === 'string'
      ? [[['with'], layer.with] as const]
      : layer.with.map((name, index) => [['with', String(index)], name] as const);
  return [...input, ...others];
}

/** What the output is for: scores of classes, numbers, or the input itself, reconstructed. */
export const taskNames = ['classify', 'regress', 'reconstruct'] as const;
export type Task = (typeof taskNames)[number];

/** A number that a network is to give: target = mean + deviation * output. */
export interface Target {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** What a device computes before the model: input = (measured - mean) / deviation. */
export interface InputChannel {
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** What a trained network is, apart from its weights: enough to build its graph again. */
export interface ModelSpec {
  readonly name: string;
  readonly task: Task;
  readonly layers: readonly Layer[];
  /** Height, width, channels. */
  readonly image: readonly [number, number, number];
  readonly classes: readonly string[];
  /** Of a network that regresses, by output. */
  readonly targets?: readonly Target[];
  /** Of a network that takes real values, by channel of the input. */
  readonly channels?: readonly InputChannel[];
  /** Of pixels 0 .. 255, real = scale * (pixel - mean); of real values, the range that the input's quantizer keeps. */
  readonly normalize:
    { readonly scale: number; readonly mean: number } | { readonly min: number; readonly max: number };
}
