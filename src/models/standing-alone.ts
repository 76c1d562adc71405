import type { Layer } from './layers.ts';
import { namedLayers } from './layers.ts';

/**
 * The names of the batch_norm layers that no layer before them can take into its weights: the first layer, those behind
 * a layer without weights or with an activation or a batch norm of its own, and those whose input others read too.
 */
export function batchNormsAlone(layers: readonly Layer[]): ReadonlySet<string> {
  const sources = layers.map((layer, index) => layer.input ?? layers[index - 1]?.name);
  const read = layers.flatMap((layer, index) => {
    const named = namedLayers(layer).map(([, name]) => name);
    return layer.input === undefined ? [sources[index], ...named] : named;
  });
  const alone = layers.filter((layer, index) => {
    if (layer.kind !== 'batch_norm') return false;
    const before = layers.find(({ name }) => name === sources[index]);
    if (before === undefined || !('batch_norm' in before)) return true;
    return before.activation !== 'none' || before.batch_norm || read.filter((name) => name === before.name).length > 1;
  });
  return new Set(alone.map(({ name }) => name));
}

/** Whether a layer takes batch norm into its weights, its own or that of the next layer. */
export function takesBatchNorm(layer: Layer, layers: readonly Layer[]): boolean {
  if ('batch_norm' in layer && layer.batch_norm) return true;
  const alone = batchNormsAlone(layers);
  return layers.some(
    (other, at) =>
      other.kind === 'batch_norm' && !alone.has(other.name) && (other.input ?? layers[at - 1]?.name) === layer.name,
  );
}
