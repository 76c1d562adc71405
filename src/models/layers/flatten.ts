import { numElements } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import type { ValueRef } from '../../ops/define.ts';
import { addNode, defineLayer } from './define.ts';

export const flatten = defineLayer('flatten', {
  fields: {},
  description: 'Joins height, width and channels into one dimension',
  build: ({ builder }, { name }, input) => addRows(builder, name, input),
});

/** Rows of features; fully connected layers read nothing else. */
export function addRows(builder: GraphBuilder, name: string, input: ValueRef): ValueRef {
  if (input.type.shape.length === 2) return input;
  const features = numElements(input.type.shape.slice(1));
  return addNode(builder, 'reshape', `${name}/reshape`, [input], { shape: [-1, features] });
}
