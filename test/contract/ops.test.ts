/** What every row of the op table promises, checked on every sample of test/contract/samples.ts. */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { DType, FloatTensor, Shape, Tensor } from '../../src/core/tensor.ts';
import { floatTensor, numElements } from '../../src/core/tensor.ts';
import { readOptions, writeOptions } from '../../src/formats/flatbuffer/options.ts';
import { readRoot } from '../../src/formats/flatbuffer/read.ts';
import { Builder } from '../../src/formats/flatbuffer/write.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { verify } from '../../src/graph/verify.ts';
import type {
  FusedActivation,
  GraphDefBinding,
  GraphDefWriter,
  IntegerNode,
  OpDef,
  Operand,
  QuantRule,
  TfliteBinding,
} from '../../src/ops/define.ts';
import { ShapeError, float32 } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { opNames, ops } from '../../src/ops/index.ts';
import { evaluate, runFloat, wideTensor } from './evaluate.ts';
import type { QuantizedVariant } from './quantized.ts';
import { runQuantized } from './quantized.ts';
import type { Misfit, Sample } from './samples.ts';
import { misfits, operandData, samples } from './samples.ts';

const SEED = 20260;
const fusedActivations: readonly FusedActivation[] = ['none', 'relu', 'relu_n1_to_1', 'relu6'];

for (const op of opNames) contract(op);

function contract<K extends OpName>(op: K): void {
  const definition: OpDef<K, Attrs[K]> = ops[op];
  describe(op, () => {
    it('has samples', () => expect(samples[op].length).toBeGreaterThan(0));
    for (const sample of samples[op]) {
      const random = createRandom(SEED, op, sample.name);
      const inputs = sample.inputs.map((operand, index) => operandData(operand, random.split(`operand ${index}`)));

      describe(sample.name, () => {
        it('takes as many operands as the op has', () => expectOperandCount(definition, inputs.length));
        it('has the shapes worked out by hand', () => {
          const types = definition.infer(inputs, sample.attrs);
          expect(types.map(({ shape }) => shape)).toEqual(sample.outputs);
        });
        if (definition.float !== null) {
          it('has a float kernel that fills its outputs and nothing else', () =>
            expectFilled(op, inputs, sample.attrs, sample.outputs));
        }
        // The gradient of rounding is a convention, not a derivative: test/golden checks it by its definition.
        if (definition.vjp !== null && definition.quant.kind !== 'quantizer') {
          it('has the gradient that finite differences give', () => expectGradient(op, inputs, sample.attrs));
        }
        if (definition.float !== null && definition.int8 !== null) {
          const { attrs } = sample;
          for (const variant of variants(definition, attrs)) {
            const { dtype, filterScales, activation } = variant;
            const detail = definition.quant.kind === 'affine' ? `, filter ${filterScales}` : '';
            it(`has an integer kernel near the real result (${dtype}${detail}, activation ${activation})`, () =>
              expectNear(op, inputs, withActivation(attrs, activation), variant));
          }
        }
        if (definition.tflite !== null) {
          const binding = definition.tflite;
          it('reads from a .tflite options table what it wrote', () =>
            expectTfliteRoundTrip(definition, binding, sample));
        }
        if (definition.graphdef !== null) {
          const binding = definition.graphdef;
          it('reads from TensorFlow nodes what it wrote', () => expectGraphDefRoundTrip(definition, binding, sample));
        }
      });
    }
    for (const misfit of misfits[op]) {
      const shapes = misfit.inputs.map((shape) => `[${shape.join(',')}]`).join(' ');
      it(`refuses ${shapes}, naming both sides`, () => expectRefusal(definition, misfit));
    }
  });
}

function expectOperandCount(
  { operands, variadic }: { operands: readonly Operand[]; variadic?: true },
  count: number,
): void {
  expect(count).toBeGreaterThanOrEqual(operands.filter(({ optional }) => optional !== true).length);
  if (variadic !== true) expect(count).toBeLessThanOrEqual(operands.length);
}

function expectRefusal<K extends OpName>(definition: OpDef<K, Attrs[K]>, { inputs, attrs, message }: Misfit<K>): void {
  const attempt = (): unknown => definition.infer(inputs.map(float32), attrs);
  expect(attempt).toThrow(ShapeError);
  for (const side of message) expect(attempt).toThrow(side);
}

// Shapes and loops.

function expectFilled<K extends OpName>(
  op: K,
  inputs: readonly FloatTensor[],
  attrs: Attrs[K],
  shapes: readonly Shape[],
): void {
  const outputs = shapes.map((shape) => floatTensor(shape, new Array<number>(numElements(shape)).fill(NaN)));
  runFloat(
    op,
    inputs,
    attrs,
    outputs.map((output) => ({ ...output, data: guarded(output.data) })),
  );
  for (const { data } of outputs) expect([...data].every(Number.isFinite)).toBe(true);
}

/** The same array, but a write outside of it is an error instead of nothing. */
function guarded(data: Float32Array): Float32Array {
  return new Proxy(data, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set(target, key, value) {
      if (!(Number(key) in target)) throw new RangeError(`element ${String(key)} of ${target.length} was written`);
      return Reflect.set(target, key, value, target);
    },
  });
}

// Gradients.

// Powers of two, so that x + STEP is exact. The kernels' own float32 roundings leave at most 1e-7 / STEP.
const STEP = 2 ** -10;
const GRADIENT_TOLERANCE = 2e-4;

function expectGradient<K extends OpName>(op: K, inputs: readonly FloatTensor[], attrs: Attrs[K]): void {
  const builder = buildGraph(op, 'qat');
  const operands = inputs.map((input, index) => builder.input(`input ${index}`, float32(input.shape)));
  const outputs = builder.node(op, 'forward', operands, attrs);
  const upstream = builder.input('upstream', outputs[0]!.type);
  const gradients = builder.scoped(
    'gradient',
    () => ops[op].vjp?.(builder, { inputs: operands, outputs, attrs }, upstream) ?? [],
  );
  const graph = verify(builder.finish(gradients.filter((gradient) => gradient !== null)));

  const feeds = new Map(
    operands.map(({ name }, index) => [name, wideTensor(inputs[index]!.shape, inputs[index]!.data)]),
  );
  const weights = operandData(
    { kind: 'spread', shape: outputs[0]!.type.shape, from: -1, to: 2 },
    createRandom(SEED, 'upstream gradient'),
  );
  feeds.set('upstream', weights);
  const values = evaluate(graph, feeds);

  const forward = outputs.map(({ type }) => wideTensor(type.shape));
  const weighted = (): number => {
    runFloat(
      op,
      operands.map(({ name }) => feeds.get(name)!),
      attrs,
      forward,
    );
    return weights.data.reduce((total, weight, index) => total + weight * forward[0]!.data[index]!, 0);
  };
  expect(gradients).toHaveLength(inputs.length);
  for (const [index, gradient] of gradients.entries()) {
    if (gradient === null) continue;
    expect(gradient.type.shape).toEqual(inputs[index]!.shape);
    const computed = values.get(gradient.name)!.data;
    const { data } = feeds.get(operands[index]!.name)!;
    const worst = Math.max(
      ...data.map((x, at) => {
        data[at] = x + STEP;
        const above = weighted();
        data[at] = x - STEP;
        const slope = (above - weighted()) / (2 * STEP);
        data[at] = x;
        return Math.abs(computed[at]! - slope) / (1 + Math.abs(slope));
      }),
    );
    expect(worst, `gradient of operand ${index}`).toBeLessThan(GRADIENT_TOLERANCE);
  }
}

// Integers.

function variants<A>(definition: { readonly quant: QuantRule }, attrs: A): readonly QuantizedVariant[] {
  const activations = hasActivation(attrs) ? fusedActivations : (['none'] as const);
  const int8 =
    definition.quant.kind === 'affine' ? (['per_channel', 'per_tensor'] as const) : (['per_tensor'] as const);
  return activations.flatMap((activation) => [
    ...int8.map((filterScales) => ({ dtype: 'int8', filterScales, activation }) as const),
    { dtype: 'uint8', filterScales: 'per_tensor', activation },
  ]);
}

/** How far a code may lie from the exact result, in steps of the output; 0.5 is perfect rounding. */
function allowedSteps(rule: QuantRule, activation: FusedActivation): number {
  switch (rule.kind) {
    case 'same_scale':
      // No multiplier; rounding happens in the average, and in the limits of a fused activation.
      return rule.exact && activation === 'none' ? 1e-9 : 0.5 + 1e-6;
    case 'affine':
      // Rounding twice; the first is of 2^shift steps, and shift is -6 at most with scales like these.
      return 0.51;
    case 'fixed_output':
      return 0.51;
    case 'independent':
    case 'activation':
      // Rounding twice where input and output scale are alike: half a step, and half of half a step.
      return 0.75 + 1e-3;
    case 'codes':
    case 'quantizer':
    case 'folded':
    case 'float_only':
      throw new Error(`a ${rule.kind} op has no integer kernel next to a float one`);
  }
}

function expectNear<K extends OpName>(
  op: K,
  inputs: readonly FloatTensor[],
  attrs: Attrs[K],
  variant: QuantizedVariant,
): void {
  const { codes, exact } = runQuantized(op, inputs, attrs, variant);
  const worst = Math.max(...exact.map((value, index) => Math.abs(codes[index]! - value)));
  expect(worst, 'steps').toBeLessThanOrEqual(allowedSteps(ops[op].quant, variant.activation));
}

function hasActivation<A>(attrs: A): attrs is A & { readonly activation: FusedActivation } {
  return typeof attrs === 'object' && attrs !== null && 'activation' in attrs;
}

function withActivation<A>(attrs: A, activation: FusedActivation): A {
  return hasActivation(attrs) ? { ...attrs, activation } : attrs;
}

// Files.

function integerNode<K extends OpName>(definition: OpDef<K, Attrs[K]>, sample: Sample<K>): IntegerNode<Attrs[K]> {
  const operand = (type: { readonly dtype: DType; readonly shape: Shape }) =>
    ({ type, quant: { kind: 'per_tensor', scale: 0.5, zeroPoint: 3 } }) as const;
  const types = sample.inputs.map(({ shape }, index) => ({
    dtype: definition.operands[index]?.role === 'bias' ? ('int32' as const) : ('int8' as const),
    shape,
  }));
  return {
    inputs: types.map(operand),
    outputs: definition.infer(types, sample.attrs).map(operand),
    attrs: sample.attrs,
  };
}

function expectTfliteRoundTrip<K extends OpName>(
  definition: OpDef<K, Attrs[K]>,
  binding: TfliteBinding<Attrs[K]>,
  sample: Sample<K>,
): void {
  const node = integerNode(definition, sample);
  if (sample.refusedBy?.tflite !== undefined) {
    expect(() => binding.encode(node)).toThrow(sample.refusedBy.tflite);
    return;
  }
  const activations = hasActivation(sample.attrs) ? fusedActivations : (['none'] as const);
  for (const activation of activations) {
    const attrs = withActivation(sample.attrs, activation);
    const { options, parameters } = binding.encode({ ...node, attrs });
    expect(parameters.map(({ position }) => position)).toEqual(binding.parameterPositions);
    const decoded = binding.decode({
      options: throughFile(binding, options),
      inputs: node.inputs.map(({ type }) => type),
      outputs: node.outputs.map(({ type }) => type),
      parameters: parameters.map(({ tensor }) => tensor),
    });
    expect(decoded).toEqual(withActivation(sample.inTflite ?? sample.attrs, activation));
  }
}

function throughFile({ fields }: Pick<TfliteBinding<never>, 'fields'>, options: Parameters<typeof writeOptions>[2]) {
  const builder = new Builder(64);
  builder.finish(writeOptions(builder, fields, options), 'TEST');
  return readOptions(readRoot(builder.asUint8Array().slice(), 'TEST'), fields);
}

type NodeDef = Parameters<GraphDefBinding<never>['reads'][string]>[0];

function expectGraphDefRoundTrip<K extends OpName>(
  definition: OpDef<K, Attrs[K]>,
  binding: GraphDefBinding<Attrs[K]>,
  sample: Sample<K>,
): void {
  const nodes: NodeDef[] = [];
  const constants = new Map<string, Tensor>();
  const writer: GraphDefWriter = {
    node(op, name, inputs, attributes) {
      nodes.push({ name, op, inputs, device: '', attributes: new Map(Object.entries(attributes)) });
      return name;
    },
    constant(name, value) {
      constants.set(name, value);
      return name;
    },
  };
  const inputs = sample.inputs.map((_, index) => `operand_${index}`);
  const inputTypes = sample.inputs.map(({ shape }) => float32(shape));
  const write = (): readonly string[] =>
    binding.write(writer, {
      name: 'scope/node',
      inputs,
      inputTypes,
      outputTypes: sample.outputs.map(float32),
      attrs: sample.attrs,
    });
  if (sample.refusedBy?.graphdef !== undefined) {
    expect(write).toThrow(ShapeError);
    expect(write).toThrow(sample.refusedBy.graphdef);
    return;
  }
  expect(write()[0]).toBe('scope/node');
  expect(nodes.at(-1)?.name).toBe('scope/node');

  const known = nodes.filter(({ op }) => Object.hasOwn(binding.reads, op));
  expect(known).toHaveLength(1);
  const [node] = known;
  const { attrs, inputs: operands } = binding.reads[node!.op]!(node!, {
    inputs: node!.inputs,
    shapeOf: (input) => sample.inputs[inputs.indexOf(input)]!.shape,
    constant: (input) => constants.get(input)!,
  });
  expect(attrs).toEqual(sample.attrs);
  // A Reshape or a Transpose brings a filter to TensorFlow's layout.
  const sourceOf = (name: string): string =>
    nodes.find((source) => source.name === name && source !== node)?.inputs[0] ?? name;
  const read = operands.map(sourceOf);
  expect(read).toEqual(inputs.slice(0, read.length));
}

describe('the op table', () => {
  it('gives no builtin code of .tflite to two ops', () => {
    const codes = opNames.flatMap((op) => ops[op].tflite?.builtinCode ?? []);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('reads no TensorFlow op as two ops', () => {
    const read = opNames.flatMap((op) => Object.keys(ops[op].graphdef?.reads ?? {}));
    expect(new Set(read).size).toBe(read.length);
  });
});
