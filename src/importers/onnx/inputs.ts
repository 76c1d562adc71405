/** What the inputs of a file become: a batch of 1, and images with the channels last. */
import type { Shape } from '../../core/tensor.ts';
import type { OnnxGraph, OnnxNode, OnnxPort } from '../../formats/protobuf/onnx.ts';
import { float32 } from '../../ops/define.ts';
import { refuse } from '../refusal.ts';
import type { Target } from './context.ts';
import { elementType } from './static.ts';
import type { View } from './view.ts';
import { viewOf } from './view.ts';

/** Ops that read channels on axis 1. */
const channelsFirstOps: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'BatchNormalization'],
  ...['Resize', 'DepthToSpace', 'SpaceToDepth', 'InstanceNormalization', 'Upsample'],
]);

/** Ops behind which the axes are others. */
const otherAxesOps: ReadonlySet<string> = new Set([
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Expand', 'Shape', 'Size', 'MatMul', 'Gemm', 'Einsum'],
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'],
  ...['ArgMax', 'ArgMin'],
]);

/** Images of as many channels. */
const usualChannels: ReadonlySet<number> = new Set([1, 3, 4]);

/**
 * The fixed sizes of an input.
 *
 * @throws Refusal for sizes that are not known, but for the batch
 */
function shapeOfInput({ name, shape, dataType }: OnnxPort): Shape {
  const kind = elementType(dataType)?.kind;
  if (kind !== 'float' && kind !== 'integer')
    return refuse(`the input "${name}" holds no numbers; expected a tensor of them`);
  if (shape === null) return refuse(`the input "${name}" has no shape`);
  const fixed = shape.map((size, axis) => (axis === 0 && typeof size !== 'number' ? 1 : size));
  const open = fixed.flatMap((size, axis) =>
    typeof size === 'number' ? [] : [size === null ? `axis ${axis}` : `"${size}"`],
  );
  if (open.length > 0) {
    return refuse(
      `the input "${name}" is [${shape.map((size) => size ?? '?').join(',')}]: ${open.join(' and ')} is not fixed; expected numbers behind the batch`,
      'fix it with make_dynamic_shape_fixed of onnxruntime.tools, or export the model for inputs of one size',
    );
  }
  const sizes = fixed.map(Number);
  if (sizes.length > 1 && sizes[0] !== 1) {
    return refuse(
      `the input "${name}" is [${sizes.join(',')}]; expected a batch of 1, or one that is not fixed`,
      'export the model with a batch of 1',
    );
  }
  if (!sizes.every((size) => size >= 1 && size < 2 ** 24))
    return refuse(`the input "${name}" is [${sizes.join(',')}]; expected sizes from 1 on`);
  return sizes;
}

/** What the first op that knows says of the axes of a value; null where none says anything. */
function channelsAxis(graph: OnnxGraph, name: string): 'first' | 'last' | null {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [node]);
      else known.push(node);
    }
  }
  const waiting = [name];
  const seen = new Set(waiting);
  for (const value of waiting) {
    for (const node of readers.get(value) ?? []) {
      if (channelsFirstOps.has(node.opType) || worksOnChannels(node)) return 'first';
      if (node.opType === 'Transpose') return transposeSays(node);
      if (otherAxesOps.has(node.opType)) continue;
      for (const output of node.outputs) {
        if (seen.has(output)) continue;
        seen.add(output);
        waiting.push(output);
      }
    }
  }
  return null;
}

/** Ops along one axis are along the channels. */
function worksOnChannels({ opType, attributes }: OnnxNode): boolean {
  const axis = attributes.get('axis');
  const isAlongAxis = ['Softmax', 'LogSoftmax', 'LpNormalization'].includes(opType);
  return isAlongAxis && axis?.kind === 'int' && axis.value === 1;
}

/** Channels that a transpose brings to axis 1 were last, and those that it takes from there were first. */
function transposeSays({ attributes }: OnnxNode): 'first' | 'last' | null {
  const permutation = attributes.get('perm');
  if (permutation?.kind !== 'ints') return null;
  const [batch, second] = permutation.value;
  if (batch !== 0) return null;
  return second === permutation.value.length - 1 ? 'last' : permutation.value.at(-1) === 1 ? 'first' : null;
}

function hasChannelsFirst(graph: OnnxGraph, name: string, shape: Shape): boolean {
  const said = shape.length === 3 || shape.length === 4 ? channelsAxis(graph, name) : 'last';
  if (said !== null) return said === 'first';
  const [, first = 0] = shape;
  return shape.length === 4 && (usualChannels.has(first) || !usualChannels.has(shape.at(-1) ?? 0));
}

/** Adds an input to the graph. @throws Refusal for one that it cannot hold */
export function addInput(target: Target, graph: OnnxGraph, port: OnnxPort): View {
  const shape = shapeOfInput(port);
  const { builder } = target;
  const name = target.layerName(port.name);
  const type = elementType(port.dataType)?.name ?? '';
  if (type !== 'float32') target.note(`The input "${port.name}" was ${type} and takes the same numbers as float32.`);
  if (!hasChannelsFirst(graph, port.name, shape)) {
    return viewOf(builder.input(name, float32(shape[0] === 1 ? shape : [1, ...shape])), shape);
  }
  const [channels = 1, ...spatial] = shape.slice(1);
  const ours = [1, ...spatial, channels];
  target.note(`The input "${port.name}" [${shape.join(',')}] is [${ours.join(',')}] here: channels come last.`);
  return viewOf(builder.input(name, float32(ours)), shape, [...spatial.map((_, axis) => axis + 2), 1]);
}
