import type { InputMeaning, OutputMeaning } from '../graph/contract.ts';
import type { Layer } from './layers/index.ts';

export { activationFunctions } from './layers/activation.ts';
export type { Activated, ActivationFunction } from './layers/activation.ts';
export type { InputChannel, Target } from '../graph/contract.ts';
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

/** A network written as layers: one way to make a graph and its contract. */
export interface ModelSpec extends InputMeaning, OutputMeaning {
  readonly name: string;
  readonly layers: readonly Layer[];
  /** Height, width, channels. */
  readonly image: readonly [number, number, number];
  /** Of a network of several outputs, each of which names its layer; the first is also what the network is for. */
  readonly outputs?: readonly (OutputMeaning & { readonly output: string })[];
}
