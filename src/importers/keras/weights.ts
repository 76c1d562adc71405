/** Where the values of a Keras network's variables are. */
import type { FloatTensor, Shape } from '../../core/tensor.ts';
import { sameShape } from '../../core/tensor.ts';
import { ConfigError } from './json.ts';

/** A layer among those of its network, and that network among those of its own. */
export interface LayerPath {
  /** Names from the outermost network on, the layer's last. */
  readonly names: readonly string[];
  /** `layers/conv2d_1` and so on: classes in snake case, numbered in each network, as Keras 3 stores them. */
  readonly stored: readonly string[];
}

export interface WeightSource {
  /**
   * The variables of a layer in Keras's order.
   *
   * @param variables their names
   * @throws ConfigError for one that is not there
   */
  readonly read: (path: LayerPath, variables: readonly string[]) => readonly FloatTensor[];
}

/** Weights that a file keeps by names such as `block/conv1/kernel:0`. */
export function namedWeights(tensors: ReadonlyMap<string, FloatTensor>): WeightSource {
  const bySuffix = new Map<string, FloatTensor>();
  const parted = Array.from(tensors, ([name, tensor]) => ({ parts: name.replace(/:\d+$/, '').split('/'), tensor }));
  const longest = Math.max(0, ...parted.map(({ parts }) => parts.length));
  // Scopes before the layer's own name differ between versions; whole names go before parts of others.
  for (let from = 0; from < longest - 1; from++) {
    for (const { parts, tensor } of parted) {
      const suffix = parts.slice(from).join('/');
      if (from < parts.length - 1 && !bySuffix.has(suffix)) bySuffix.set(suffix, tensor);
    }
  }
  return {
    read: ({ names }, variables) =>
      variables.map((variable) => {
        const candidates = names.map((_, from) => [...names.slice(from), variable].join('/'));
        const found = candidates.flatMap((name) => bySuffix.get(name) ?? [])[0];
        if (found === undefined) throw new ConfigError(`the file has no weights "${candidates.at(-1) ?? variable}"`);
        return found;
      }),
  };
}

export function expectShape(found: FloatTensor, wanted: Shape, what: string): FloatTensor {
  if (sameShape(found.shape, wanted)) return found;
  throw new ConfigError(`${what} is [${found.shape.join(', ')}]; expected [${wanted.join(', ')}]`);
}
