import { numElements } from '../../core/tensor.ts';
import type { ValueRef } from '../../ops/define.ts';
import type { LayerContext } from './define.ts';
import { addNode, defineLayer } from './define.ts';

export const flatten = defineLayer('flatten', {
  fields: {},
  description: 'Joins height, width and channels into one dimension',
  build: (context, { name }, input) => addRows(context, name, input),
});

/** Rows of features; fully connected layers read nothing else. */
export function addRows({ builder, pixels }: LayerContext, name: string, input: ValueRef): ValueRef {
  if (input.type.shape.length === 2) return input;
  const features = numElements(input.type.shape.slice(1));
  const rows = addNode(builder, 'reshape', `${name}/reshape`, [input], { shape: [-1, features] });
  if (pixels?.raw.has(input.name) === true) pixels.raw.add(rows.name);
  return rows;
}
