import { unreachable } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { numElements, zeros } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import { valueOf } from '../graph/graph.ts';
import { buildModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import { ShapeError } from '../ops/define.ts';
import type { Locate } from './source.ts';

/** Mistakes in how a network fits the images or its task, found before anything is trained. */
export function networkDiagnostics(spec: ModelSpec, locate: Locate, inLayers: boolean): Diagnostic[] {
  const built = outputShape(spec);
  if (built instanceof ShapeError) {
    const { index, input, error } = firstMisfit(spec, built);
    const layer = spec.layers[index]?.name ?? '';
    return [
      {
        code: 'layer-does-not-fit',
        place: locate(inLayers ? ['model', 'layers', String(index)] : ['model'], 'value'),
        message: `layer \`${layer}\` receives ${shapeText(input)}: ${error.message}`,
        hint: 'change this layer or the layers before it, or use larger images',
      },
    ];
  }
  const expected = expectedOutput(spec);
  if (expected.fits(built)) return [];
  return [
    {
      code: 'wrong-output',
      place: locate(inLayers ? ['model', 'layers', String(spec.layers.length - 1)] : ['model'], 'value'),
      message: `the network outputs ${shapeText(built)} for each image; expected ${expected.text}`,
      hint: `end it with { kind: fully_connected, units: ${expected.values} }`,
    },
  ];
}

function expectedOutput({ task, classes, image }: ModelSpec) {
  switch (task) {
    case 'classify': {
      const values = classes.length;
      const fits = (shape: Shape): boolean => shape.length === 2 && shape[1] === values;
      return { values, text: `${values} scores, one per class`, fits };
    }
    case 'reconstruct': {
      const values = numElements(image);
      const fits = (shape: Shape): boolean => numElements(shape) === values;
      return { values, text: `${values} values, as many as the image has`, fits };
    }
    default:
      return unreachable(task);
  }
}

/** Of one image, with the batch of 1 in front. */
function outputShape(spec: ModelSpec): Shape | ShapeError {
  const weights = { kind: 'given', tensor: (_name: string, shape: Shape) => zeros('float32', shape) } as const;
  try {
    const graph = buildModel(spec, 1, 'inference', weights);
    return valueOf(graph, graph.outputs[0] ?? '').type.shape;
  } catch (error) {
    if (error instanceof ShapeError) return error;
    throw error;
  }
}

/** The first layer with which the network cannot be built, and what it is given. */
function firstMisfit(spec: ModelSpec, whole: ShapeError): { index: number; input: Shape; error: ShapeError } {
  let input: Shape = [1, ...spec.image];
  for (let index = 0; index < spec.layers.length; index++) {
    const built = outputShape({ ...spec, layers: spec.layers.slice(0, index + 1) });
    if (built instanceof ShapeError) return { index, input, error: built };
    input = built;
  }
  return { index: spec.layers.length - 1, input, error: whole };
}

function shapeText(shape: Shape): string {
  const [, ...rest] = shape;
  switch (rest.length) {
    case 1:
      return `${rest[0]} values`;
    case 3:
      return `${rest.slice(0, 2).join(' x ')} pixels with ${rest[2]} channels`;
    default:
      return `${numElements(rest)} values of shape [${rest.join(', ')}]`;
  }
}
