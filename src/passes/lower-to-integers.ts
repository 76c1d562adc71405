import { internal } from '../core/assert.ts';
import { fakeQuantCode, nudgeRange } from '../core/affine.ts';
import { UserError } from '../core/diagnostic.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { buildGraph } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { producers, valueOf } from '../graph/graph.ts';
import { cutsCodes } from '../ops/bindings.ts';
import type { QuantRule, ValueRef } from '../ops/define.ts';
import { ops } from '../ops/index.ts';
import type { FusedActivations, Fusion } from './lowering/activations.ts';
import { fuseActivations } from './lowering/activations.ts';
import type { ActivationParameters, PerTensor } from './lowering/parameters.ts';
import { activationParameters, parametersFor } from './lowering/parameters.ts';
import { activationRange, floatConstant, isConstant, rangeOf } from './lowering/ranges.ts';
import type { WeightLowering, Weights } from './lowering/weights.ts';
import { codesTensor, quantizeWeights } from './lowering/weights.ts';
import type { Scheme } from './scheme.ts';
import { schemes } from './scheme.ts';

export interface LoweredGraph {
  readonly graph: Graph;
  /** What had to be changed for the integer format, for the report. */
  readonly adjustments: readonly string[];
}

/**
 * Turns an eval graph into integers: weights and biases become constants of codes, fake quantizers become parameters
 * on the values they covered, activations are fused into the op before them.
 *
 * Scales and zero points are carried from the fake quantizers (`nudgeRange`), never estimated.
 *
 * @param graph level eval, all parameters constant, batch norm folded
 * @param path of the file the graph was read from, for diagnostics
 * @throws UserError naming every value without parameters, its producer and the rule that should have covered it, and
 * weights that were trained for the other scheme
 */
export function lowerToIntegers(graph: Graph, scheme: Scheme, path: string): LoweredGraph {
  const adjustments: string[] = [];
  const parameters = activationParameters(graph, scheme, path, adjustments);
  const fused = fuseActivations(graph);
  const builder = buildGraph(graph.name, 'int8');
  const context: Lowering = { graph, scheme, path, builder, parameters, fused, adjustments, makers: producers(graph) };

  for (const name of graph.inputs) {
    const { type } = valueOf(graph, name);
    builder.input(name, { dtype: scheme, shape: type.shape }, parametersFor(parameters.of, name));
  }
  for (const node of graph.nodes) lowerNode(context, node);
  const outputs = graph.outputs.map((output) => builder.ref(resolve(context, output)));
  return { graph: builder.finish(outputs), adjustments };
}

interface Lowering extends WeightLowering {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly parameters: ActivationParameters;
  readonly fused: FusedActivations;
  readonly makers: ReadonlyMap<string, Node>;
}

/** The value that stands for a name in the integer graph. */
function resolve(context: Lowering, name: string): string {
  const { parameters, fused, makers } = context;
  const source = parameters.behind.get(name) ?? name;
  const maker = makers.get(source);
  return maker !== undefined && fused.gone.has(maker.name) ? resolve(context, maker.inputs[0] ?? source) : source;
}

function lowerNode(context: Lowering, node: Node): void {
  const { builder, fused, parameters } = context;
  if (node.op === 'fake_quant' || fused.gone.has(node.name)) return;
  const fusion = fused.into.get(node.name);
  const isEmpty = parameters.empty.has(node.name);
  const activation = fusion?.activation ?? (isEmpty && 'activation' in node.attrs ? 'relu' : undefined);
  // Only producers that have an `activation` attribute are in `into`.
  const lowered = activation === undefined ? node : ({ ...node, attrs: { ...node.attrs, activation } } as Node);
  const quant = parametersFor(parameters.of, fusion === undefined ? node.name : fusion.node.name);
  const rule = ops[node.op].quant;
  switch (rule.kind) {
    case 'affine': {
      const operands = affineOperands(context, node, rule);
      const [padded, attrs] = padInput(context, lowered, operands);
      if (fusion !== undefined && ops[node.op].tflite?.avoidsActivation === true) {
        addWithoutActivation(context, node, padded, fusion, quant);
        return;
      }
      builder.node(lowered.op, lowered.name, padded, attrs, quant);
      return;
    }
    case 'same_scale':
      builder.node(lowered.op, lowered.name, sameScaleOperands(context, node, quant), lowered.attrs, quant);
      return;
    default: {
      const operands = node.inputs.map(
        (input) => constantOperand(context, node, input) ?? builder.ref(resolve(context, input)),
      );
      builder.node(lowered.op, lowered.name, operands, lowered.attrs, quant);
    }
  }
}

/**
 * An op that takes no activation in: the range of the output clamps as the activation does, or the activation follows
 * as an op of its own with the same parameters. The integers are those of the fused op.
 */
function addWithoutActivation(
  { builder, scheme }: Lowering,
  node: Node,
  operands: readonly ValueRef[],
  fusion: Fusion,
  quant: PerTensor,
): void {
  if (!cutsCodes(fusion.activation, { type: { dtype: scheme, shape: [] }, quant })) {
    builder.node(node.op, node.name, operands, node.attrs, quant);
    return;
  }
  // The layer's name goes to what comes out of it.
  const linear = builder.node(node.op, `${node.name}/linear`, operands, node.attrs, quant);
  builder.node(fusion.node.op, node.name, linear, fusion.node.attrs, quant);
}

/** The operands at the scale of the output; one that has another is rescaled first. */
function sameScaleOperands(context: Lowering, node: Node, quant: PerTensor): readonly ValueRef[] {
  const { builder, parameters, scheme } = context;
  return node.inputs.map((input, index) => {
    const own = parametersFor(parameters.of, input);
    const operand = builder.ref(resolve(context, input));
    if (own.scale === quant.scale && own.zeroPoint === quant.zeroPoint) return operand;
    const name = node.inputs.length === 1 ? `${node.name}/rescaled` : `${node.name}/rescaled_${index}`;
    const [rescaled] = builder.node('quantize', name, [operand], { dtype: scheme }, quant);
    return rescaled ?? internal(`${name} has no output`);
  });
}

/** Files know SAME and VALID only: other paddings become a pad of their own, with the codes of zero. */
function padInput(
  { builder, parameters }: Lowering,
  node: Node,
  [input, ...others]: readonly ValueRef[],
): readonly [operands: readonly ValueRef[], attrs: Node['attrs']] {
  if (input === undefined) return internal(`${node.op} "${node.name}" has no input`);
  const { attrs } = node;
  if (!('padding' in attrs) || attrs.padding.kind !== 'explicit' || node.op === 'transpose_conv') {
    return [[input, ...others], attrs];
  }
  const { top, bottom, left, right } = attrs.padding;
  const paddings = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ] as const;
  const quant = parametersFor(parameters.of, node.inputs[0] ?? '');
  const [padded] = builder.node('pad', `${node.name}/pad`, [input], { paddings }, quant);
  return [[padded ?? internal('a pad has no output'), ...others], { ...attrs, padding: { kind: 'valid' } }];
}

/**
 * A constant as codes, with the range of its fake quantizer, or with its own and 0 in it, as TensorFlow Lite's converter
 * gives it; null for what is computed.
 */
function constantOperand({ graph, builder, makers, scheme }: Lowering, node: Node, input: string): ValueRef | null {
  const maker = makers.get(input);
  const quantizer = maker?.op === 'fake_quant' ? maker : null;
  const name = quantizer?.inputs[0] ?? input;
  if (!isConstant(graph, name)) return null;
  if (builder.has(name)) return builder.ref(name);
  const { shape, data } = floatConstant(graph, name, node);
  const range =
    quantizer === null
      ? nudgeRange(Math.min(0, ...data), Math.max(0, ...data), 8, false)
      : activationRange(graph, quantizer);
  const zeroPoint = range.zeroPoint - schemes[scheme].offset;
  const codes = data.map((x) => fakeQuantCode(x, range, 'per_tensor') + zeroPoint);
  // Zeros alone have no range; any scale stands for them.
  const quant = { kind: 'per_tensor', scale: range.scale === 0 ? 1 : range.scale, zeroPoint } as const;
  return builder.constant(name, codesTensor(scheme, shape, codes), quant);
}

function affineOperands(context: Lowering, node: Node, rule: Extract<QuantRule, { kind: 'affine' }>) {
  const { graph, path, builder, parameters, makers } = context;
  const [input = '', filterName = '', biasName] = node.inputs;
  const quantizer = makers.get(filterName);
  if (quantizer?.op !== 'fake_quant') {
    throw new UserError([
      {
        code: 'missing-range',
        place: { file: path },
        message: `the weights "${filterName}" of ${node.op} "${node.name}" have no fake quantizer`,
        hint: 'train the graph with a `qat` stage before converting it',
      },
    ]);
  }
  const weights: Weights = {
    node,
    filter: floatConstant(graph, quantizer.inputs[0] ?? '', node),
    ranges: rangeOf(graph, quantizer),
    form: quantizer.attrs.axis === null ? 'per_tensor' : 'per_channel',
    bias: biasName === undefined ? null : floatConstant(graph, biasName, node),
    inputScale: parametersFor(parameters.of, input).scale,
    channelAxis: rule.channelAxis,
  };
  const { filter, bias } = quantizeWeights(context, weights);
  return [
    builder.ref(resolve(context, input)),
    builder.constant(quantizer.inputs[0] ?? filterName, filter.codes, filter.quant),
    builder.constant(biasName ?? `${node.name}/bias`, bias.codes, bias.quant),
  ];
}
