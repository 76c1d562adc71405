/** Conv and ConvTranspose. Weights [outputs, inputs, height, width] become [outputs, height, width, inputs]. */
import type { Shape } from '../../../core/tensor.ts';
import { numElements } from '../../../core/tensor.ts';
import type { ValueRef } from '../../../ops/define.ts';
import { refuse } from '../../refusal.ts';
import type { Affine, Call, Rule, Target } from '../context.ts';
import { optionalStatic, staticIn, viewIn } from '../context.ts';
import type { Static } from '../static.ts';
import { inShape, permutedStatic, picked } from '../static.ts';
import type { Image, Pair, Windows } from './windows.ts';
import { framed, imageOf, paddingKind, reach, viewOfImage, windowsOf } from './windows.ts';

const mostGroups = 64;

/** The weights as [first, second, height, width]; of a series they have one row. */
function kernelOf(weights: Static, { spatial }: Image): Static {
  const [first = 1, second = 1, ...taps] = weights.shape;
  if (weights.shape.length !== spatial + 2) {
    return refuse(
      `its weights "${weights.name}" are [${weights.shape.join(',')}]; expected ${spatial + 2} axes, as its input has`,
    );
  }
  return inShape(weights, spatial === 1 ? [first, second, 1, ...taps] : weights.shape);
}

function groupsOf({ attributes }: Call, channels: number): number {
  const groups = attributes.int('group', 1);
  if (!(groups >= 1) || channels % groups !== 0) refuse(`it cuts ${channels} channels into ${groups} groups`);
  return groups;
}

/** The bias that the node itself has. */
function ownBias(call: Call, channels: number): Float32Array | null {
  const bias = optionalStatic(call, 2);
  if (bias !== null && bias.data.length !== channels) {
    refuse(`its bias "${bias.name}" has ${bias.data.length} values; expected ${channels}`);
  }
  return bias === null ? null : Float32Array.from(bias.data);
}

const spatialShape = (ref: ValueRef): Shape => ref.type.shape.slice(1, 3);

/** What a layer gives while its bias may still be in the next node. */
function pending(
  call: Call,
  image: Image,
  size: Shape,
  channels: number,
  add: (bias: Float32Array | null) => ValueRef,
): Affine {
  const own = ownBias(call, channels);
  return {
    kind: 'affine',
    shape: image.spatial === 2 ? [1, channels, ...size] : [1, channels, size[1] ?? 1],
    channelAxis: 1,
    finish: (bias) => {
      const both = own === null ? bias : bias === null ? own : own.map((value, index) => value + (bias[index] ?? 0));
      return viewOfImage(add(both), image.spatial);
    },
  };
}

export const conv: Rule = (call) => {
  const { graph, name } = call;
  const image = imageOf(call, viewIn(call, 0));
  const weights = kernelOf(staticIn(call, 1), image);
  const [outputs = 1, groupInputs = 1, ...taps] = weights.shape;
  const groups = groupsOf(call, image.channels);
  if (groupInputs * groups !== image.channels || outputs % groups !== 0) {
    refuse(
      `its weights "${weights.name}" are [${weights.shape.join(',')}] in ${groups} groups; ` +
        `its input has ${image.channels} channels`,
    );
  }
  const windows = windowsOf(call, image, image.spatial === 1 ? taps.slice(1) : taps);
  const kind = paddingKind(image.size, windows);
  const input = kind === null ? framed(graph, name, image.ref, windows.pads) : image.ref;
  const layer = { input, weights, groups, windows, padding: { kind: kind ?? ('valid' as const) } };
  const size = outputSize(input, windows, kind ?? 'valid');
  return [pending(call, image, size, outputs, (bias) => addConvolution(call, layer, bias))];
};

function outputSize(input: ValueRef, windows: Windows, kind: 'same' | 'valid'): Shape {
  return spatialShape(input).map((size, index) => {
    const axis = index === 0 ? 0 : 1;
    const count = kind === 'same' ? size : size - reach(windows, axis) + 1;
    const outputs = Math.ceil(count / windows.strides[axis]);
    return outputs >= 1 ? outputs : refuse(`a window of ${reach(windows, axis)} pixels does not fit into ${size}`);
  });
}

interface Convolution {
  readonly input: ValueRef;
  readonly weights: Static;
  readonly groups: number;
  readonly windows: Windows;
  readonly padding: { readonly kind: 'same' | 'valid' };
}

function addConvolution(call: Call, layer: Convolution, bias: Float32Array | null): ValueRef {
  const { graph, name } = call;
  const { input, weights, groups, windows, padding } = layer;
  const { strides, dilations } = windows;
  const [outputs = 1, groupInputs = 1] = weights.shape;
  const attrs = { strides, dilations, padding, activation: 'none' } as const;
  if (groups > 1 && groupInputs === 1) {
    // ONNX's output channel c * multiplier + m is input channel c under filter m, as ours is.
    const filter = permutedStatic(weights, [1, 2, 3, 0]);
    return graph.add(
      'depthwise_conv_2d',
      `${name}/depthwise_conv_2d`,
      [input, ...parameters(call, name, filter, bias)],
      attrs,
    );
  }
  return grouped(call, groups, input, (part, index, partName) => {
    const own = groupOf(permutedStatic(weights, [0, 2, 3, 1]), groups, index);
    const operands = parameters(call, partName, own, sliceOf(bias, groups, index, outputs));
    return graph.add('conv_2d', `${partName}/conv_2d`, [part, ...operands], attrs);
  });
}

/** Filter and bias as variables. */
function parameters({ graph }: Call, name: string, filter: Static, bias: Float32Array | null): readonly ValueRef[] {
  const weights = graph.variable(`${name}/filter`, filter.shape, Float32Array.from(filter.data), 'weight');
  return bias === null ? [weights] : [weights, graph.variable(`${name}/bias`, [bias.length], bias, 'bias')];
}

/** A layer for each group of channels, and their results joined. */
function grouped(
  { graph, name }: Call,
  groups: number,
  input: ValueRef,
  add: (part: ValueRef, index: number, name: string) => ValueRef,
): ValueRef {
  if (groups === 1) return add(input, 0, name);
  if (groups > mostGroups) {
    refuse(`it has ${groups} groups; expected at most ${mostGroups}, or as many as channels (a depthwise convolution)`);
  }
  graph.note(
    `"${name}" convolves ${groups} groups of channels: each is a layer of its own, since devices have no such op.`,
  );
  const channels = (input.type.shape[3] ?? 1) / groups;
  const parts = Array.from({ length: groups }, (_, index) => {
    const partName = `${name}/group_${index}`;
    return add(channelsOf(graph, partName, input, index * channels, channels), index, partName);
  });
  return graph.add('concatenation', `${name}/concatenation`, parts, { axis: 3 });
}

function channelsOf(graph: Target, name: string, input: ValueRef, start: number, count: number): ValueRef {
  return graph.add('strided_slice', `${name}/strided_slice`, [input], {
    begin: [0, 0, 0, start],
    end: [0, 0, 0, start + count],
    strides: [1, 1, 1, 1],
    beginMask: 0b0111,
    endMask: 0b0111,
    shrinkAxisMask: 0,
  });
}

/** Part `index` of the first axis. */
function groupOf(value: Static, groups: number, index: number): Static {
  const [first = 1, ...rest] = value.shape;
  const shape = [first / groups, ...rest];
  const start = numElements(shape) * index;
  return picked(value, shape, (at) => start + at);
}

function sliceOf(bias: Float32Array | null, groups: number, index: number, outputs: number): Float32Array | null {
  const size = outputs / groups;
  return bias === null ? null : bias.slice(index * size, (index + 1) * size);
}

export const convTranspose: Rule = (call) => {
  const image = imageOf(call, viewIn(call, 0));
  const weights = kernelOf(staticIn(call, 1), image);
  const [inputs = 1, groupOutputs = 1, ...taps] = weights.shape;
  const groups = groupsOf(call, image.channels);
  if (inputs !== image.channels) {
    refuse(`its weights "${weights.name}" are [${weights.shape.join(',')}]; its input has ${image.channels} channels`);
  }
  const { spatial } = image;
  const windows = windowsOf(call, image, spatial === 1 ? taps.slice(1) : taps);
  if (windows.dilations.some((dilation) => dilation !== 1))
    refuse('its dilations are not 1; expected a transposed convolution without');
  const axes = [axisPlan(call, image, windows, 0), axisPlan(call, image, windows, 1)] as const;
  const layer = { image, weights, groups, windows, axes };
  const size = axes.map(({ wanted }) => wanted);
  return [pending(call, image, size, groupOutputs * groups, (bias) => addTransposed(call, layer, bias))];
};

/** One axis of a transposed convolution: the size it is computed in, and where what is wanted of it begins. */
interface AxisPlan {
  readonly computed: number;
  readonly start: number;
  readonly wanted: number;
  readonly same: boolean;
}

function axisPlan(call: Call, image: Image, windows: Windows, axis: 0 | 1): AxisPlan {
  const stride = windows.strides[axis];
  const taps = windows.kernel[axis];
  const full = (image.size[axis] - 1) * stride + taps;
  const { start, wanted } = wantedOf(call, image, windows, axis, full);
  const computed = Math.max(full, start + wanted);
  if (start < 0 || wanted < 1 || computed >= full + stride) {
    refuse(`of ${full} pixels it takes ${wanted} from ${start} on; expected what strides of ${stride} reach`);
  }
  const beyond = Math.max(0, (image.size[axis] - 1) * stride + taps - wanted);
  const same = Math.ceil(wanted / stride) === image.size[axis] && start === Math.floor(beyond / 2);
  return { computed, start, wanted, same };
}

/** Which pixels of the full result a node takes. */
function wantedOf(
  { attributes }: Call,
  { spatial }: Image,
  windows: Windows,
  axis: 0 | 1,
  full: number,
): { readonly start: number; readonly wanted: number } {
  if (spatial === 1 && axis === 0) return { start: 0, wanted: 1 };
  const along = (values: readonly number[] | null): number | null => values?.[spatial === 1 ? 0 : axis] ?? null;
  const extra = along(attributes.ints('output_padding')) ?? 0;
  const automatic = attributes.string('auto_pad', 'NOTSET');
  const stride = windows.strides[axis];
  const inputs = (full - windows.kernel[axis]) / stride + 1;
  const asked = along(attributes.ints('output_shape')) ?? (automatic.startsWith('SAME') ? inputs * stride : null);
  if (asked === null) {
    const [before, after] = automatic === 'VALID' ? [0, 0] : windows.pads[axis];
    return { start: before, wanted: full - before - after + extra };
  }
  // The paddings follow from the size; the odd one goes where auto_pad says.
  const total = Math.max(0, full + extra - asked);
  const less = Math.floor(total / 2);
  return { start: automatic === 'SAME_UPPER' ? less : total - less, wanted: asked };
}

interface Transposed {
  readonly image: Image;
  readonly weights: Static;
  readonly groups: number;
  readonly windows: Windows;
  readonly axes: readonly [AxisPlan, AxisPlan];
}

function addTransposed(call: Call, layer: Transposed, bias: Float32Array | null): ValueRef {
  const { graph, name } = call;
  const { image, weights, groups, windows, axes } = layer;
  const isSame = axes.every(({ same }) => same);
  const outputSize: Pair = isSame ? [axes[0].wanted, axes[1].wanted] : [axes[0].computed, axes[1].computed];
  const padding = { kind: isSame ? 'same' : 'valid' } as const;
  const attrs = { strides: windows.strides, padding, outputSize, activation: 'none' } as const;
  const whole = grouped(call, groups, image.ref, (part, index, partName) => {
    const own = permutedStatic(groupOf(weights, groups, index), [1, 2, 3, 0]);
    const outputs = (weights.shape[1] ?? 1) * groups;
    const operands = parameters(call, partName, own, sliceOf(bias, groups, index, outputs));
    return graph.add('transpose_conv', `${partName}/transpose_conv`, [part, ...operands], attrs);
  });
  if (isSame || axes.every(({ computed, wanted }) => computed === wanted)) return whole;
  const [rows, columns] = axes;
  return graph.add('strided_slice', `${name}/strided_slice`, [whole], {
    begin: [0, rows.start, columns.start, 0],
    end: [0, rows.start + rows.wanted, columns.start + columns.wanted, 0],
    strides: [1, 1, 1, 1],
    beginMask: 0b1001,
    endMask: 0b1001,
    shrinkAxisMask: 0,
  });
}
