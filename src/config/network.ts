import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { numElements, zeros } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { computedParameters } from '../graph/parameters.ts';
import { buildModel } from '../models/build.ts';
import type { Layer, ModelSpec } from '../models/layers.ts';
import { ShapeError } from '../ops/define.ts';
import type { Scheme } from '../passes/index.ts';
import { removeDropout } from '../passes/index.ts';
import { tasks } from '../tasks/index.ts';
import type { Locate } from './source.ts';

/** Mistakes in how a network fits the images or its task, found before anything is trained. */
export function networkDiagnostics(spec: ModelSpec, locate: Locate, inLayers: boolean): Diagnostic[] {
  const built = outputShapes(spec);
  if (built instanceof ShapeError) {
    const { index, input, error } = firstMisfit(spec, built);
    const layer = spec.layers[index];
    const isSeries = layer !== undefined && readsSeries(layer);
    return [
      {
        code: 'layer-does-not-fit',
        place: locate(inLayers ? ['model', 'layers', String(index)] : ['model'], 'value'),
        message: `layer \`${layer?.name ?? ''}\` receives ${isSeries ? seriesText(input) : shapeText(input)}: ${error.message}`,
        hint:
          error instanceof SizeError
            ? `use fewer filters or units, a stride, or ${isSeries ? 'shorter series' : 'smaller images'}`
            : `change this layer or the layers before it, or use ${isSeries ? 'longer series' : 'larger images'}`,
      },
    ];
  }
  const outputs = spec.outputs ?? [{ output: spec.layers.at(-1)?.name ?? '', ...spec }];
  return outputs.flatMap((output, at) => wrongOutput(spec, output, built[at] ?? [], locate, inLayers));
}

/** @param shape of the output, with the batch in front */
function wrongOutput(
  spec: ModelSpec,
  { output, ...meaning }: NonNullable<ModelSpec['outputs']>[number],
  shape: Shape,
  locate: Locate,
  inLayers: boolean,
): Diagnostic[] {
  const expected = tasks[meaning.task].output({ ...meaning, image: spec.image });
  if (expected.fits(shape)) return [];
  const layer = spec.layers.findIndex(({ name }) => name === output);
  const who = spec.outputs === undefined ? 'the network outputs' : `output \`${output}\` gives`;
  return [
    {
      code: 'wrong-output',
      place: locate(inLayers ? ['model', 'layers', String(layer)] : ['model'], 'value'),
      message: `${who} ${shapeText(shape)} for each image; expected ${expected.text}`,
      hint: expected.hint ?? `end it with { kind: fully_connected, units: ${expected.values} }`,
    },
  ];
}

/**
 * Layers on which TensorFlow Lite disagrees with itself, so that the file may answer otherwise on a device, and kernels
 * that are larger than their image (of layers that the pipeline lists).
 *
 * @param spec a network without `networkDiagnostics`
 * @param schemes of the qat stages
 */
export function networkWarnings(
  spec: ModelSpec,
  schemes: readonly Scheme[],
  locate: Locate,
  inLayers: boolean,
): Diagnostic[] {
  const graph = oneImageGraph(spec);
  const placeOf = (name: string, field: string) => {
    const index = spec.layers.findIndex((layer) => layer.name === name);
    return inLayers ? locate(['model', 'layers', String(index), field], 'value') : locate(['model'], 'value');
  };
  const computed = computedParameters(graph);
  return graph.nodes.flatMap((node): Diagnostic[] => {
    const [layer = node.name] = node.name.split('/');
    // Sums of weights are none of the device's.
    if (computed.has(node.name)) return [];
    if (node.op === 'sum' && schemes.includes('int8')) return [sumWarning(layer, placeOf(layer, 'kind'))];
    const window = windowOf(graph, node);
    if (window === null) return [];
    // The kernels of a preset are those of its publication, and cannot be chosen.
    if (inLayers && unusedWeights(window) > 0) {
      return [kernelWarning(spec, layer, window, placeOf(layer, 'kernel'))];
    }
    return stridesPastImage(window) ? [strideWarning(layer, placeOf(layer, 'stride'))] : [];
  });
}

function sumWarning(layer: string, place: Place): Diagnostic {
  return {
    ...{ code: 'sum-differs', place, layer },
    message:
      `layer \`${layer}\` is a sum, which the reference kernel of TensorFlow Lite 2.15 computes wrongly in ` +
      'int8: it limits the output to 0 .. 255 before it stores it as -128 .. 127',
    hint: 'use `mean`, which is the sum divided by the number of pixels, or test on the device itself',
  };
}

function kernelWarning(spec: ModelSpec, layer: string, window: SlidingKernel, place: Place): Diagnostic {
  const isSeries = spec.layers.some((other) => other.name === layer && readsSeries(other));
  const sizes = (pair: readonly [number, number]) => (isSeries ? `${numElements(pair)}` : pair.join(' x '));
  return {
    ...{ code: 'kernel-past-image', place, layer },
    message:
      `layer \`${layer}\` has a kernel of ${sizes(window.kernel)} for ${sizes(window.image)} ${isSeries ? 'steps' : 'pixels'}: ` +
      `${unusedWeights(window)} of its ${numElements(window.kernel)} positions only ever meet padding, so their weights do nothing`,
    hint: `use a smaller kernel or dilation, or ${isSeries ? 'longer series' : 'larger images'}`,
  };
}

function strideWarning(layer: string, place: Place): Diagnostic {
  return {
    ...{ code: 'stride-larger-than-kernel', place, layer },
    message:
      `the stride of layer \`${layer}\` is larger than its kernel, so no window reaches the end of the image; ` +
      'with `padding: same`, XNNPACK in TensorFlow Lite 2.15 then computes other values than the reference kernel',
    hint: 'use `padding: valid`, a larger kernel or a smaller stride',
  };
}

/** How a convolution with SAME padding slides over its input; each pair is [vertical, horizontal]. */
interface SlidingKernel {
  readonly image: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

function windowOf(graph: Graph, node: Node): SlidingKernel | null {
  if (node.op !== 'conv_2d' && node.op !== 'depthwise_conv_2d') return null;
  const { strides, dilations, padding } = node.attrs;
  if (padding.kind !== 'same') return null;
  const [input, filter] = node.inputs.map((name) => valueOf(graph, name).type.shape);
  const heightAndWidth = (shape: Shape | undefined) => [shape?.[1] ?? 1, shape?.[2] ?? 1] as const;
  return { image: heightAndWidth(input), kernel: heightAndWidth(filter), strides, dilations };
}

/** Number of positions of the kernel that lie outside the image wherever the kernel stands. */
function unusedWeights({ image, kernel, strides, dilations }: SlidingKernel): number {
  const used = ([0, 1] as const).map((axis) => {
    const [pixels, taps, stride, dilation] = [image[axis], kernel[axis], strides[axis], dilations[axis]];
    const outputs = Math.ceil(pixels / stride);
    const padding = Math.max(0, (outputs - 1) * stride + (taps - 1) * dilation + 1 - pixels);
    const before = Math.floor(padding / 2);
    let count = 0;
    for (let tap = 0; tap < taps; tap++) {
      // The outputs at which this tap stands on a pixel are those from `first` to `last`.
      const first = Math.max(0, Math.ceil((before - tap * dilation) / stride));
      const last = Math.min(outputs - 1, Math.floor((pixels - 1 + before - tap * dilation) / stride));
      if (first <= last) count++;
    }
    return count;
  });
  return numElements(kernel) - numElements(used);
}

/**
 * Whether XNNPACK takes a padding below zero for a large one. Measured on TensorFlow 2.15.1 for kernels of 1 to 3,
 * strides of 1 to 5 and images of 9, 15 and 16 pixels: it does for convolutions with SAME and any kernel but 1 x 1.
 */
function stridesPastImage({ image, kernel, strides, dilations }: SlidingKernel): boolean {
  if (kernel.every((size) => size === 1)) return false;
  return ([0, 1] as const).some((axis) => {
    const reach = (kernel[axis] - 1) * dilations[axis] + 1;
    return (Math.ceil(image[axis] / strides[axis]) - 1) * strides[axis] + reach < image[axis];
  });
}

/** A network that no engine has room for. */
class SizeError extends ShapeError {}

/**
 * WebAssembly memory ends at 4 GiB. Training keeps each parameter four times (with its gradient and two slots of the
 * optimizer), and each value of a layer at least twice.
 */
const largestParameters = 2 ** 27;
const largestValues = 2 ** 28;

/**
 * Of one image, with the batch of 1 in front.
 *
 * @throws ShapeError where layers do not fit each other, or nothing can hold them
 */
function oneImageGraph(spec: ModelSpec): Graph {
  let parameters = 0;
  const tensor = (_name: string, shape: Shape) => {
    parameters += numElements(shape);
    if (parameters > largestParameters) {
      throw new SizeError(
        `with its weights the network has ${parameters} parameters; at most ${largestParameters} fit into memory`,
      );
    }
    return zeros('float32', shape);
  };
  const graph = removeDropout(buildModel(spec, 1, { kind: 'given', tensor }));
  for (const { name, type } of graph.values.values()) {
    const values = numElements(type.shape);
    if (values > largestValues) {
      throw new SizeError(`"${name}" has ${values} values for one image; at most ${largestValues} fit into memory`);
    }
  }
  return graph;
}

function outputShapes(spec: ModelSpec): readonly Shape[] | ShapeError {
  try {
    const graph = oneImageGraph(spec);
    return graph.outputs.map((name) => valueOf(graph, name).type.shape);
  } catch (error) {
    if (error instanceof ShapeError) return error;
    throw error;
  }
}

/** The first layer with which the network cannot be built, and what it is given. */
function firstMisfit(spec: ModelSpec, whole: ShapeError): { index: number; input: Shape; error: ShapeError } {
  let input: Shape = [1, ...spec.image];
  for (let index = 0; index < spec.layers.length; index++) {
    const { outputs: _outputs, ...single } = spec;
    const built = outputShapes({ ...single, layers: spec.layers.slice(0, index + 1) });
    if (built instanceof ShapeError) return { index, input, error: built };
    input = built[0] ?? input;
  }
  return { index: spec.layers.length - 1, input, error: whole };
}

/** Whether a layer goes over the steps of a series, and knows no pixels. */
const readsSeries = ({ kind }: Layer): boolean => kind.endsWith('_1d');

/** A row or a column of pixels as the steps that it stands for. */
function seriesText(shape: Shape): string {
  const [, height = 0, width = 0, channels] = shape;
  if (channels === undefined || (height !== 1 && width !== 1)) return shapeText(shape);
  return `${counted(height * width, 'step')} with ${counted(channels, 'channel')}`;
}

function shapeText(shape: Shape): string {
  const [, ...rest] = shape;
  switch (rest.length) {
    case 1:
      return counted(rest[0] ?? 0, 'value');
    case 3:
      return `${rest.slice(0, 2).join(' x ')} pixels with ${counted(rest[2] ?? 0, 'channel')}`;
    default:
      return `${counted(numElements(rest), 'value')} of shape [${rest.join(', ')}]`;
  }
}
