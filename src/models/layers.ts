import type { JsonObject } from '../core/json.ts';
import type { Task } from '../measurements/metrics.ts';
import type { Layer } from './layers/index.ts';

export { activationFunctions } from './layers/activation.ts';
export type { Activated, ActivationFunction } from './layers/activation.ts';
export type { Layer };

/** The earlier layers that a layer names, with the steps to the field that does. */
export function namedLayers(layer: Layer): readonly (readonly [path: readonly string[], name: string])[] {
  const input = layer.input === undefined ? [] : [[['input'], layer.input] as const];
  if (!('with' in layer)) return input;
  const others =
    typeof layer.with === 'string'
      ? [[['with'], layer.with] as const]
      : [layer.with]
          .flat()
          .flatMap((name, index) => (typeof name === 'string' ? [[['with', `${index}`], name] as const] : []));
  return [...input, ...others];
}

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
  /**
   * Of pixels that each channel normalizes on its own: (pixel - mean) / deviation, within the network. Left out where
   * `normalize` says all.
   */
  readonly pixels?: readonly InputChannel[];
  /** Settings by which a device makes an example of what it records, in the words of a pipeline. */
  readonly decoding?: JsonObject;
  /** Of pixels 0 .. 255, real = scale * (pixel - mean); of real values, the range that the input's quantizer keeps. */
  readonly normalize:
    { readonly scale: number; readonly mean: number } | { readonly min: number; readonly max: number };
}
