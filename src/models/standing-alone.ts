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
