/** A network as a list of layers, everything present: what presets and a pipeline's `layers:` both come to. */
export type LayerActivation = 'none' | 'relu' | 'relu6';

interface NamedLayer {
  readonly name: string;
  /** The earlier layer whose output this one takes; left out, it is the layer before. */
  readonly input?: string;
}

export type Layer = NamedLayer & LayerBody;

type LayerBody =
  | {
      readonly kind: 'conv_2d';
      readonly filters: number;
      /** [vertical, horizontal], like every pair below */
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
      readonly dilation: readonly [number, number];
      readonly padding: 'same' | 'valid';
      readonly bias: boolean;
      readonly batch_norm: boolean;
      readonly activation: LayerActivation;
    }
  | {
      readonly kind: 'depthwise_conv_2d';
      /** Output channels per input channel. */
      readonly multiplier: number;
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
      readonly dilation: readonly [number, number];
      readonly padding: 'same' | 'valid';
      readonly bias: boolean;
      readonly batch_norm: boolean;
      readonly activation: LayerActivation;
    }
  | {
      readonly kind: 'fully_connected';
      readonly units: number;
      readonly bias: boolean;
      readonly batch_norm: boolean;
      readonly activation: LayerActivation;
    }
  | {
      readonly kind: 'max_pool_2d' | 'average_pool_2d';
      readonly window: readonly [number, number];
      readonly stride: readonly [number, number];
      readonly padding: 'same' | 'valid';
    }
  | { readonly kind: 'mean' | 'flatten' | 'batch_norm' | 'softmax' }
  | { readonly kind: 'activation'; readonly function: 'relu' | 'relu6' }
  | { readonly kind: 'add'; readonly with: string; readonly activation: LayerActivation };

/** What the output is for: scores of classes, or the image itself, given back through a narrow place. */
export type Task = 'classify' | 'reconstruct';

/** What a trained network is, apart from its weights: enough to build its graph again. */
export interface ModelSpec {
  readonly name: string;
  readonly task: Task;
  readonly layers: readonly Layer[];
  /** Height, width, channels. */
  readonly image: readonly [number, number, number];
  readonly classes: readonly string[];
  /** real = scale * (pixel - mean), pixel 0 .. 255. */
  readonly normalize: { readonly scale: number; readonly mean: number };
}
