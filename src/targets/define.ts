/** What a row of the table of targets says. */
import type { EdgeType, Scheme, WeightRanges } from '../passes/index.ts';
import type { IntegerNode } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';

/** The ops that a .tflite file may hold. A test compares the list with the op table. */
export const fileOps = [
  ...(['abs', 'add', 'arg_max', 'arg_min', 'average_pool_2d', 'batch_to_space_nd', 'broadcast_to'] as const),
  ...(['concatenation', 'conv_2d', 'depth_to_space', 'depthwise_conv_2d', 'dequantize', 'expand_dims'] as const),
  ...(['fully_connected', 'gather', 'hard_swish', 'l2_normalization', 'leaky_relu', 'log_softmax'] as const),
  ...(['logistic', 'max_pool_2d', 'maximum', 'mean', 'minimum', 'mirror_pad', 'mul', 'pack', 'pad'] as const),
  ...(['prelu', 'quantize', 'reduce_max', 'reduce_min', 'reduce_prod', 'relu', 'relu6', 'reshape'] as const),
  ...(['resize_bilinear', 'resize_nearest_neighbor', 'shape', 'slice', 'softmax', 'space_to_batch_nd'] as const),
  ...(['space_to_depth', 'split', 'squeeze', 'strided_slice', 'sub', 'sum', 'tanh', 'tile'] as const),
  ...(['transpose', 'transpose_conv', 'unpack'] as const),
] as const satisfies readonly OpName[];

export type FileOp = (typeof fileOps)[number];

export const isFileOp = (op: OpName): op is FileOp => (fileOps as readonly OpName[]).includes(op);

/** An op of an integer graph, with the types and scales of what it reads and gives. */
export type TargetNode<K extends FileOp = FileOp> = IntegerNode<Attrs[K]>;

/** Why a target does not take an op. */
export interface Refusal {
  /** Completes "layer `x` …": "has strides of 4 x 4". */
  readonly found: string;
  /** Completes "TensorFlow Lite Micro takes …". */
  readonly expected: string;
  /** What to change in the layer or the stage. */
  readonly remedy: string;
  /** The setting that decides, where it is one of a stage and not of the layer. */
  readonly setting?: 'scheme' | 'dense_weights' | 'edges';
}

/** Looks at the shapes, types and attributes of one op. */
export type Rule<K extends FileOp = FileOp> = (node: TargetNode<K>) => Refusal | null;

/**
 * What a target takes of each op: all rules have to agree; an op with an empty list is taken as the file format has it.
 * `null` where the target has no such op.
 */
export type OpTable = { readonly [K in FileOp]: readonly Rule<K>[] | null };

/** One deployment target. Every fact names its source: repository, file, commit. */
export interface TargetRow<Name extends string = string> {
  /** The word in the pipeline. */
  readonly name: Name;
  /** What runs the file, within a sentence: "TensorFlow Lite Micro". */
  readonly title: string;
  /** The target whose kernels run an op that this one leaves out; null where nothing does. */
  readonly fallback: TargetRow | null;
  readonly schemes: readonly Scheme[];
  /** Types that the input and the output of the model may have. */
  readonly edges: readonly EdgeType[];
  /** The scales of fully connected weights: what the target takes, and what the `qat` stage gets if it says nothing. */
  readonly denseWeights: { readonly takes: readonly WeightRanges[]; readonly chosen: WeightRanges };
  /** The release of TensorFlow Lite whose versions of the ops it has; null where it has every one. */
  readonly release: string | null;
  /** How a sum of 32 bits becomes a code of 8: in fixed point with one rounding or two, or in float32. */
  readonly rounding: 'double' | 'single' | 'float' | 'unpublished';
  /** Factors by which convolutions and dense layers may scale their sums: at least `least`, below `below`. */
  readonly multipliers: { readonly least: number; readonly below: number };
  /** Whether the activations lie in one arena as TensorFlow Lite Micro plans it. */
  readonly hasArena: boolean;
  readonly ops: OpTable;
}

export const defineTarget = <const Name extends string>(row: TargetRow<Name>): TargetRow<Name> => row;
