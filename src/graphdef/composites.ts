/**
 * Functions that TensorFlow spells out in several nodes, as Keras writes them, and that are one op here and in .tflite
 * files. In between they are single nodes of names that TensorFlow does not know: HardSwish, L2Normalize,
 * Prelu, and RowBatchNorm, because FusedBatchNormV3 takes images only.
 */
import { internal } from '../core/assert.ts';
import { floatTensor, tensor } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import type { AttributeValue } from '../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../formats/protobuf/graph-def.ts';
import { parseInput } from '../formats/protobuf/graph-def.ts';

const FLOAT: readonly (readonly [string, AttributeValue])[] = [['T', { kind: 'type', value: 'float32' }]];

function plainNode(op: string, name: string, inputs: readonly string[], more: typeof FLOAT = []): NodeDef {
  return { name, op, inputs, device: '', attributes: new Map([...FLOAT, ...more]) };
}

function constant(name: string, value: Tensor<'float32'> | Tensor<'int32'>): NodeDef {
  const attributes = new Map<string, AttributeValue>([
    ['dtype', { kind: 'type', value: value.dtype }],
    ['value', { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } }],
  ]);
  return { name, op: 'Const', inputs: [], device: '', attributes };
}

/** Writes composites as several nodes; the last node of each keeps its name. */
export function expandComposites(nodes: readonly NodeDef[]): readonly NodeDef[] {
  return nodes.flatMap((node) => {
    switch (node.op) {
      case 'HardSwish':
        return hardSwishNodes(node);
      case 'Prelu':
        return preluNodes(node);
      case 'L2Normalize':
        return l2NormalizeNodes(node);
      case 'RowBatchNorm':
        return rowBatchNormNodes(node);
      default:
        return [node];
    }
  });
}

function hardSwishNodes({ name, inputs: [x = ''] }: NodeDef): readonly NodeDef[] {
  return [
    constant(`${name}/three`, floatTensor([], [3])),
    plainNode('AddV2', `${name}/add`, [x, `${name}/three`]),
    plainNode('Relu6', `${name}/relu6`, [`${name}/add`]),
    plainNode('Mul', `${name}/mul`, [x, `${name}/relu6`]),
    constant(`${name}/sixth`, floatTensor([], [1 / 6])),
    plainNode('Mul', name, [`${name}/mul`, `${name}/sixth`]),
  ];
}

function preluNodes({ name, inputs: [x = '', alpha = ''] }: NodeDef): readonly NodeDef[] {
  return [
    plainNode('Relu', `${name}/positive`, [x]),
    plainNode('Neg', `${name}/slopes`, [alpha]),
    plainNode('Neg', `${name}/opposite`, [x]),
    plainNode('Relu', `${name}/negative`, [`${name}/opposite`]),
    plainNode('Mul', `${name}/leak`, [`${name}/slopes`, `${name}/negative`]),
    plainNode('AddV2', name, [`${name}/positive`, `${name}/leak`]),
  ];
}

function l2NormalizeNodes({ name, inputs: [x = ''] }: NodeDef): readonly NodeDef[] {
  const keepsAxis: typeof FLOAT = [
    ['Tidx', { kind: 'type', value: 'int32' }],
    ['keep_dims', { kind: 'bool', value: true }],
  ];
  return [
    plainNode('Square', `${name}/square`, [x]),
    constant(`${name}/axis`, tensor('int32', [1], Int32Array.of(-1))),
    plainNode('Sum', `${name}/sum`, [`${name}/square`, `${name}/axis`], keepsAxis),
    // The square of the least length that the op divides by.
    constant(`${name}/epsilon`, floatTensor([], [1e-12])),
    plainNode('Maximum', `${name}/maximum`, [`${name}/sum`, `${name}/epsilon`]),
    plainNode('Rsqrt', `${name}/rsqrt`, [`${name}/maximum`]),
    plainNode('Mul', name, [x, `${name}/rsqrt`]),
  ];
}

function rowBatchNormNodes(node: NodeDef): readonly NodeDef[] {
  const { name } = node;
  const [x = '', ...statistics] = node.inputs;
  const depth = node.attributes.get('depth');
  const channels = depth?.kind === 'int' ? depth.value : internal(`${name} does not say how long its rows are`);
  const { depth: _depth, ...attributes } = Object.fromEntries(node.attributes);
  const reshape: typeof FLOAT = [['Tshape', { kind: 'type', value: 'int32' }]];
  const shape = (part: string, sizes: readonly number[]) =>
    constant(`${name}/${part}_shape`, tensor('int32', [sizes.length], Int32Array.from(sizes)));
  return [
    shape('image', [-1, 1, 1, channels]),
    plainNode('Reshape', `${name}/image`, [x, `${name}/image_shape`], reshape),
    {
      ...plainNode('FusedBatchNormV3', `${name}/norm`, [`${name}/image`, ...statistics]),
      attributes: new Map(Object.entries(attributes)),
    },
    shape('row', [-1, channels]),
    plainNode('Reshape', name, [`${name}/norm`, `${name}/row_shape`], reshape),
  ];
}

interface Match {
  readonly op: 'HardSwish' | 'L2Normalize' | 'Prelu' | 'RowBatchNorm';
  readonly inputs: readonly string[];
  readonly attributes: NodeDef['attributes'];
  /** Nodes that the composite stands for, apart from its last. */
  readonly inner: readonly string[];
}

const noAttributes: NodeDef['attributes'] = new Map(FLOAT);

/** Recognizes composites, whatever the order of the factors, and drops the nodes that only they read. */
export function recognizeComposites(nodes: readonly NodeDef[]): readonly NodeDef[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const inner = new Set<string>();
  const rewritten = nodes.map((node) => {
    const match = matchComposite(byName, node);
    if (match === null) return node;
    for (const name of match.inner) inner.add(name);
    const { op, inputs, attributes } = match;
    return { ...node, op, inputs, attributes };
  });
  let kept = rewritten;
  for (let before = -1; before !== kept.length;) {
    before = kept.length;
    const read = new Set(kept.flatMap(({ inputs }) => inputs.map(nodeName)));
    kept = kept.filter(({ name }) => !inner.has(name) || read.has(name));
  }
  return kept;
}

type Nodes = ReadonlyMap<string, NodeDef>;

function matchComposite(nodes: Nodes, root: NodeDef): Match | null {
  switch (root.op) {
    case 'Mul':
      return matchHardSwish(nodes, root) ?? matchL2Normalize(nodes, root);
    case 'Add':
    case 'AddV2':
      return matchPrelu(nodes, root);
    case 'Reshape':
      return matchRowBatchNorm(nodes, root);
    default:
      return null;
  }
}

/** Rows reshaped to images of one pixel, normalised, and reshaped back. */
function matchRowBatchNorm(nodes: Nodes, root: NodeDef): Match | null {
  const norm = behind(nodes, root.inputs[0], 'FusedBatchNormV3');
  const image = behind(nodes, norm?.inputs[0], 'Reshape');
  if (norm === null || image === null) return null;
  const [outer, middle] = [shapeGiven(nodes, root), shapeGiven(nodes, image)];
  const onePixel = middle?.length === 4 && middle[1] === 1 && middle[2] === 1;
  if (!onePixel || outer?.length !== 2 || outer[1] !== middle[3]) return null;
  const [rows = ''] = image.inputs;
  return {
    op: 'RowBatchNorm',
    inputs: [rows, ...norm.inputs.slice(1)],
    attributes: norm.attributes,
    inner: [norm.name, image.name, nodeName(image.inputs[1] ?? ''), nodeName(root.inputs[1] ?? '')],
  };
}

/** The constant shape of a Reshape. */
function shapeGiven(nodes: Nodes, reshape: NodeDef): readonly number[] | null {
  const value = behind(nodes, reshape.inputs[1], 'Const')?.attributes.get('value');
  return value?.kind === 'tensor' && value.value.kind === 'numeric'
    ? Array.from(value.value.tensor.data, Number)
    : null;
}

function nodeName(input: string): string {
  return parseInput(input).node;
}

/** The node behind an input if it is one of these ops. */
function behind(nodes: Nodes, input: string | undefined, ...ops: readonly string[]): NodeDef | null {
  const node = input === undefined ? undefined : nodes.get(nodeName(input));
  return node !== undefined && ops.includes(node.op) ? node : null;
}

function isScalar(nodes: Nodes, input: string | undefined, expected: number): boolean {
  const value = behind(nodes, input, 'Const')?.attributes.get('value');
  if (value?.kind !== 'tensor' || value.value.kind !== 'numeric') return false;
  const { data } = value.value.tensor;
  return data.length === 1 && Math.abs(Number(data[0]) - expected) < 1e-6;
}

/** Both orders of two operands. */
function orders({ inputs: [a = '', b = ''] }: NodeDef): readonly (readonly [string, string])[] {
  return [
    [a, b],
    [b, a],
  ];
}

/** relu6(x + 3): x and the nodes that make it. */
function matchGate(nodes: Nodes, input: string): { readonly x: string; readonly inner: readonly string[] } | null {
  const relu6 = behind(nodes, input, 'Relu6');
  const sum = behind(nodes, relu6?.inputs[0], 'AddV2', 'Add');
  if (relu6 === null || sum === null) return null;
  for (const [x, three] of orders(sum)) {
    if (isScalar(nodes, three, 3)) return { x, inner: [relu6.name, sum.name, nodeName(three)] };
  }
  return null;
}

/** (x * relu6(x + 3)) / 6 or x * (relu6(x + 3) / 6), the division as a product with a sixth. */
function matchHardSwish(nodes: Nodes, root: NodeDef): Match | null {
  for (const [first, second] of orders(root)) {
    const product = behind(nodes, first, 'Mul');
    if (product === null) continue;
    for (const [a, b] of orders(product)) {
      const gate = matchGate(nodes, b);
      if (gate === null) continue;
      const inner = [product.name, ...gate.inner];
      if (isScalar(nodes, second, 1 / 6) && a === gate.x) {
        return { op: 'HardSwish', inputs: [a], attributes: noAttributes, inner: [...inner, nodeName(second)] };
      }
      if (isScalar(nodes, a, 1 / 6) && second === gate.x) {
        return { op: 'HardSwish', inputs: [second], attributes: noAttributes, inner: [...inner, nodeName(a)] };
      }
    }
  }
  return null;
}

/** relu(x) + -alpha * relu(-x), as Keras writes it. */
function matchPrelu(nodes: Nodes, root: NodeDef): Match | null {
  for (const [first, second] of orders(root)) {
    const positive = behind(nodes, first, 'Relu');
    const leak = behind(nodes, second, 'Mul');
    if (positive === null || leak === null) continue;
    const [x = ''] = positive.inputs;
    for (const [a, b] of orders(leak)) {
      const slopes = behind(nodes, a, 'Neg');
      const negative = behind(nodes, b, 'Relu');
      const opposite = behind(nodes, negative?.inputs[0], 'Neg');
      if (slopes === null || negative === null || opposite?.inputs[0] !== x) continue;
      const inner = [positive, leak, slopes, negative, opposite].map(({ name }) => name);
      return { op: 'Prelu', inputs: [x, slopes.inputs[0] ?? ''], attributes: noAttributes, inner };
    }
  }
  return null;
}

/** x * rsqrt(max(sum(x * x over the last axis), epsilon)), as tf.math.l2_normalize writes it. */
function matchL2Normalize(nodes: Nodes, root: NodeDef): Match | null {
  for (const [x, factor] of orders(root)) {
    const rsqrt = behind(nodes, factor, 'Rsqrt');
    const maximum = behind(nodes, rsqrt?.inputs[0], 'Maximum');
    if (rsqrt === null || maximum === null) continue;
    for (const [total, epsilon] of orders(maximum)) {
      const sum = behind(nodes, total, 'Sum');
      const square = behind(nodes, sum?.inputs[0], 'Square');
      if (sum === null || square?.inputs[0] !== x || !isScalar(nodes, epsilon, 0) || !isLastAxis(nodes, sum)) continue;
      const [, axis = ''] = sum.inputs;
      const inner = [rsqrt, maximum, sum, square].map(({ name }) => name);
      return {
        op: 'L2Normalize',
        inputs: [x],
        attributes: noAttributes,
        inner: [...inner, nodeName(epsilon), nodeName(axis)],
      };
    }
  }
  return null;
}

/** The last axis, as -1: the rank is not known here. */
function isLastAxis(nodes: Nodes, sum: NodeDef): boolean {
  const keepDims = sum.attributes.get('keep_dims');
  return keepDims?.kind === 'bool' && keepDims.value && isScalar(nodes, sum.inputs[1], -1);
}
