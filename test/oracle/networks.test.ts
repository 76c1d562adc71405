/** Eval graphs, frozen graphs and converted models of whole networks, in TensorFlow and here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nudgeRange } from '../../src/core/affine.ts';
import { present } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import type { FloatTensor, Tensor } from '../../src/core/tensor.ts';
import { dataFromBytes, expectDType, floatTensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { buildGraph, copyNode } from '../../src/graph/builder.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { producers, valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import type { ModelSpec } from '../../src/models/layers.ts';
import type { OpName } from '../../src/ops/index.ts';
import { ops } from '../../src/ops/index.ts';
import {
  freezePasses,
  lowerToIntegers,
  removeFakeQuant,
  runPasses,
  setBatch,
  setEdgeTypes,
} from '../../src/passes/index.ts';
import { prune } from '../../src/passes/prune.ts';
import type { EdgeTypes } from '../../src/passes/set-edge-types.ts';
import { readGraphDef, writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import { readTfliteContents } from '../../src/tflite/read.ts';
import { quantizeOperator } from '../../src/tflite/schema.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { uniform } from '../models/networks.ts';
import { randomRuns } from './integer-cases.ts';
import {
  compareRuns,
  countValues,
  differences,
  judgeOf,
  referenceKernels,
  runOurs,
  runTflite,
} from './integer-runs.ts';
import type { Runs } from './integer-runs.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, expectTensor, hasOracle, openOracle } from './oracle.ts';
import type { QuantizationFormName } from './random-networks.ts';
import {
  namedNetworks,
  quantizationForms,
  randomNetwork,
  randomSeriesNetwork,
  trainedTensors,
} from './random-networks.ts';
import { seed } from './seed.ts';
import { pixelNormalization } from '../../src/data/batches.ts';
import { evalGraph } from '../models/forms.ts';

/** 140 in the soak tests. */
const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 24);
/** Random networks over series. */
const SERIES = Math.ceil(NETWORKS / 4);
/** Random networks for the converter, which is slow. */
const CONVERTED = Math.min(NETWORKS, 60);
const forms = Object.keys(quantizationForms) as readonly QuantizationFormName[]; // of a literal
const BATCH = 8;
/** Of the output's range; both sides add float32 products, in different orders. */
const TOLERANCE = 1e-4;
/** Two units in the last place of a float32. */
const SCALE_TOLERANCE = 2 ** -22;

describe.skipIf(!hasOracle)(`networks, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const randomNetworks = Array.from({ length: NETWORKS }, (_, index) => ({
    ...randomNetwork(createRandom(seed, 'network', `${index}`)),
    name: `random ${index}`,
  }));
  const seriesNetworks = Array.from({ length: SERIES }, (_, index) => ({
    ...randomSeriesNetwork(createRandom(seed, 'series network', `${index}`)),
    name: `series ${index}`,
  }));
  const specs = [...namedNetworks, ...seriesNetworks, ...randomNetworks];
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  it.each(forms)('%s eval graphs and frozen graphs give the same numbers in TensorFlow', async (form) => {
    const tally = { values: 0, flipped: 0, furthest: 0 };
    for (const [index, spec] of specs.entries()) {
      const files = filesOf(spec, index, form);
      const batch = hasTransposedConvolution(spec) ? 1 : BATCH;
      const input = uniform(createRandom(seed, 'images', `${index}`), [batch, ...spec.image], 0, 1);
      const checkpoint = readSafetensors(files.checkpoint, 'checkpoint.safetensors').tensors;
      const evaluated = importGraphDef(readGraphDef(files.evalGraph, 'eval_graph.pb'), checkpoint, 'eval_graph.pb');
      const frozen = importGraphDef(readGraphDef(files.frozen, 'frozen.pb'), new Map(), 'frozen.pb');
      for (const [graph, bytes, variables] of [
        [evaluated, files.evalGraph, checkpoint],
        [frozen, files.frozen, new Map<string, Tensor>()],
      ] as const) {
        const ours = await infer(graph, input);
        const theirs = await inferByTensorFlow(oracle, bytes, Object.fromEntries(variables), graph, input);
        const step = outputStep(graph);
        for (const [at, value] of theirs.entries()) {
          const steps = Math.round(Math.abs(ours[at]! - value) / step);
          tally.values++;
          if (steps > 0) tally.flipped++;
          tally.furthest = Math.max(tally.furthest, steps);
          // Between codes there is nothing: what does not flip is the same to float accuracy.
          expect(Math.abs(Math.abs(ours[at]! - value) - steps * step), spec.name).toBeLessThan(TOLERANCE * 255 * step);
        }
      }
      const plain = removeFakeQuant(frozen);
      const ours = await infer(plain, input);
      const theirs = await inferByTensorFlow(oracle, writeGraphDef(exportGraphDef(plain).graphDef), {}, plain, input);
      const range = theirs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
      theirs.forEach((value, at) => expect(Math.abs(ours[at]! - value) / range, spec.name).toBeLessThan(TOLERANCE));
    }
    console.info(
      `${form}: ${specs.length} networks, each as eval graph and frozen: ${tally.flipped} of ${tally.values} values are another ` +
        `code, by at most ${tally.furthest} steps`,
    );
    expect(tally.flipped / tally.values).toBeLessThan(0.01);
  });

  it.each(forms)("TensorFlow's converter gives the same %s parameters and weights from frozen.pb", async (form) => {
    const { scheme } = quantizationForms[form];
    const tally = { models: 0, tensors: 0, codes: 0, differingCodes: 0, values: 0, differing: 0 };
    const failures: string[] = [];
    for (const [index, spec] of specs.entries()) {
      if (tally.models === namedNetworks.length + SERIES + CONVERTED) break;
      const { frozen, model, graph } = filesOf(spec, index, form, withPlainDenseRanges);
      if (!converterTakes(spec, graph)) continue;
      const { scale, mean } = pixelNormalization(spec.normalize);
      const converted = expectBytes(
        await oracle.evaluate('convert_frozen(graph, "input", "output", shape, stats, scheme)', {
          graph: frozen,
          shape: [1, ...spec.image],
          stats: [scheme === 'int8' ? mean - 128 : mean, 1 / scale],
          scheme,
        }),
      );
      const compared = compareFiles(model, converted);
      failures.push(...compared.failures.map((text) => `${spec.name}: ${text}`));
      tally.models++;
      tally.tensors += compared.tensors;
      tally.codes += compared.codes;
      tally.differingCodes += compared.differingCodes;
      if (judgeOf(graph) !== referenceKernels) continue;
      const runs = randomRuns(graph, createRandom(seed, 'codes', `${index}`));
      const ours = runOurs(model, runs);
      const theirs = present(await runTflite(oracle, converted, runs, referenceKernels), 'outputs');
      failures.push(...differences(ours, theirs, 1).map((text) => `${spec.name}: ${text}`));
      tally.values += countValues(theirs);
      tally.differing += countDiffering(ours, theirs);
    }
    console.info(
      `${form}: ${tally.models} models by both converters: ${tally.tensors} tensors; ${tally.differingCodes} of ${tally.codes} ` +
        `weights and ${tally.differing} of ${tally.values} outputs differ by a step`,
    );
    expect(failures).toEqual([]);
  });

  it.each(forms)("%s models, with all edge types, give the bytes of TensorFlow Lite's kernels", async (form) => {
    const { scheme } = quantizationForms[form];
    const tally = { networks: 0, models: 0, runs: 0, values: 0, unjudged: 0 };
    const failures: string[] = [];
    for (const [index, spec] of specs.entries()) {
      const { graph } = filesOf(spec, index, form);
      if (judgeOf(graph) !== referenceKernels) {
        tally.unjudged++;
        continue;
      }
      tally.networks++;
      // Random networks take turns with the other edges.
      const others = edgePairs.filter(({ input, output }) => input !== scheme || output !== scheme);
      const edges = index < namedNetworks.length ? others : others.slice(index % others.length).slice(0, 1);
      for (const types of [{ input: scheme, output: scheme }, ...edges]) {
        const edged = verify(setEdgeTypes(graph, types));
        const runs = randomRuns(edged, createRandom(seed, 'codes', `${index}`));
        const { failures: found, values } = await compareRuns(oracle, writeTflite(edged), runs, referenceKernels);
        failures.push(...found.map((text) => `${spec.name}, ${types.input} to ${types.output}: ${text}`));
        tally.models++;
        tally.runs += runs.length;
        tally.values += values;
      }
    }
    console.info(
      `${form}: ${tally.models} models of ${tally.networks} networks by TensorFlow Lite, ${tally.runs} runs: ${tally.values} ` +
        `outputs, all the same; ${tally.unjudged} networks hold an op whose kernel is wrong there`,
    );
    expect(failures).toEqual([]);
  });
});

const edgePairs: readonly EdgeTypes[] = (['int8', 'uint8', 'float32'] as const).flatMap((input) =>
  (['int8', 'uint8', 'float32'] as const).map((output) => ({ input, output })),
);

/** TensorFlow's node names the size of its result, the batch included; ours writes that of one image. */
function hasTransposedConvolution({ layers }: ModelSpec): boolean {
  return layers.some(({ kind }) => kind === 'transpose_conv');
}

/**
 * Whether TensorFlow's converter makes of a network what its fake quantizers say. It does not see the ranges of a
 * transposed convolution's filter through the transposition before it: those per channel it refuses ("tfl.transpose op
 * has mismatched quantized axes"), and otherwise computes with float weights. It fuses a rectifier into a pool and then
 * refuses it for its range ("violate the same scale constraint"). And it gives a concatenation the range of an input
 * that has one, where others read that input, and rescales after it; what does nothing it leaves out, with its range.
 * It does not see the range of a prelu's slopes through the negation before them either, and computes with float ones.
 */
function converterTakes(spec: ModelSpec, graph: Graph): boolean {
  const { layers } = spec;
  const isRead = (name: string): boolean =>
    layers.some((layer, at) => layer.kind !== 'concatenation' && (layer.input ?? layers[at - 1]?.name) === name);
  return (
    !hasTransposedConvolution(spec) &&
    layers.every((layer, at) => {
      if ('activation' in layer && layer.activation === 'prelu') return false;
      if (layer.kind === 'activation' && layer.function === 'prelu') return false;
      if (layer.kind === 'activation') return !('window' in (layers[at - 1] ?? layer));
      return layer.kind !== 'concatenation' || !layer.with.some(isRead);
    }) &&
    graph.nodes.every((node) => !doesNothing(graph, node))
  );
}

/** The mean of one pixel, and a transposition that moves nothing past anything else. */
function doesNothing(graph: Graph, node: Node): boolean {
  const { shape } = valueOf(graph, node.inputs[0] ?? '').type;
  if (node.op === 'mean') return node.attrs.axes.every((axis) => shape[axis] === 1);
  if (node.op !== 'transpose') return false;
  const moved = node.attrs.permutation.filter((axis) => shape[axis] !== 1);
  return moved.every((axis, at) => at === 0 || axis > moved[at - 1]!);
}

interface NetworkFiles {
  readonly evalGraph: Uint8Array;
  readonly checkpoint: Uint8Array;
  readonly frozen: Uint8Array;
  readonly model: Uint8Array;
  readonly graph: Graph;
}

/** The files of the stages save-eval-graph, freeze and convert. */
function filesOf(
  spec: ModelSpec,
  index: number,
  form: QuantizationFormName,
  change = (graph: Graph): Graph => graph,
): NetworkFiles {
  const exported = exportGraphDef(evalGraph(spec, 1, trainedTensors(seed * 1000 + index), quantizationForms[form]));
  const evalGraphBytes = writeGraphDef(exported.graphDef);
  const read = importGraphDef(readGraphDef(evalGraphBytes, 'eval_graph.pb'), exported.variables, 'eval_graph.pb');
  const frozen = writeGraphDef(exportGraphDef(change(runPasses(read, freezePasses))).graphDef);
  const { graph } = lowerToIntegers(
    importGraphDef(readGraphDef(frozen, 'frozen.pb'), new Map(), 'frozen.pb'),
    quantizationForms[form].scheme,
    'frozen.pb',
  );
  return {
    evalGraph: evalGraphBytes,
    checkpoint: writeSafetensors({ tensors: exported.variables, metadata: new Map() }),
    frozen,
    model: writeTflite(verify(graph)),
    graph,
  };
}

async function infer(graph: Graph, input: FloatTensor): Promise<Float32Array> {
  const session = await referenceEngine.open(setBatch(graph, input.shape[0]!), { replicas: 1, threads: 1 });
  const outputs = await session.run(new Map([[graph.inputs[0] ?? '', input.data]]));
  await session.close();
  return present(outputs.get(graph.outputs[0] ?? ''), 'the output');
}

async function inferByTensorFlow(
  oracle: Oracle,
  graph: Uint8Array,
  variables: { readonly [name: string]: Tensor },
  { inputs }: Graph,
  input: FloatTensor,
): Promise<Float32Array> {
  const feeds = { [inputs[0] ?? '']: input };
  const outputs = await oracle.evaluate('run_graph(graph, variables, feeds, ["output"])', { graph, variables, feeds });
  return expectDType(expectTensor(expectList(outputs)[0]), 'float32').data;
}

/** The scale of the fake quantizer that makes the output. */
function outputStep(graph: Graph): number {
  const node = producers(graph).get(graph.outputs[0] ?? '');
  if (node?.op !== 'fake_quant') throw new Error('the output has no fake quantizer');
  const [min, max] = node.inputs.slice(1).map((name) => {
    const { source } = valueOf(graph, name);
    return source.kind === 'constant' ? Number(source.data.data[0]) : NaN;
  });
  return nudgeRange(min ?? NaN, max ?? NaN, node.attrs.bits, node.attrs.narrowRange).scale;
}

interface FileComparison {
  readonly failures: readonly string[];
  readonly tensors: number;
  readonly codes: number;
  /** Weights and biases that lie one step apart. */
  readonly differingCodes: number;
}

/**
 * Operators in the order that their inputs ask for, and what each reads and writes. The converter computes scales in double and rounds them, we
 * carry the float32 ones of fake quant: they may differ in the last bits, and a code at a rounding edge with them.
 */
function compareFiles(ours: Uint8Array, theirs: Uint8Array): FileComparison {
  const [a, b] = [contentsOf(ours), contentsOf(theirs)];
  const result = { failures: [] as string[], tensors: 0, codes: 0, differingCodes: 0 };
  if (a.codes.join() !== b.codes.join()) {
    return { ...result, failures: [`operators are ${a.codes.join()}; the converter's are ${b.codes.join()}`] };
  }
  for (const [at, operator] of a.operators.entries()) {
    const other = present(b.operators[at], 'an operator');
    for (const [place, x] of operator.entries()) {
      const y = other[place] ?? null;
      // The converter leaves a bias of zeros out.
      if (x === null || y === null) {
        if (x?.values.some((value) => value !== 0) ?? y !== null) result.failures.push(`operator ${at} lacks an input`);
        continue;
      }
      result.tensors++;
      if (describeTensor(x) !== describeTensor(y)) {
        result.failures.push(`${x.name} is ${describeTensor(x)}; the converter's is ${describeTensor(y)}`);
        continue;
      }
      const worst = x.scales.reduce((most, scale, channel) => {
        const expected = y.scales[channel % y.scales.length] ?? NaN;
        return Math.max(most, Math.abs(scale - expected) / expected);
      }, 0);
      if (!(worst <= SCALE_TOLERANCE)) result.failures.push(`${x.name} has scales that differ by ${worst}`);
      const farthest = x.values.reduce((most, value, index) => Math.max(most, Math.abs(value - y.values[index]!)), 0);
      if (!(farthest <= 1)) result.failures.push(`${x.name} has codes that differ by ${farthest}`);
      result.codes += x.values.length;
      result.differingCodes += x.values.filter((value, index) => value !== y.values[index]).length;
    }
  }
  return result;
}

interface FileTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  /** None for what is computed. */
  readonly values: readonly number[];
}

/**
 * The tensors of each operator. Left out are QUANTIZE, which the converter puts behind an input whose parameters it
 * rounded otherwise, and RESHAPE and SQUEEZE, which it drops in front of a fully connected layer.
 */
function contentsOf(bytes: Uint8Array): {
  codes: readonly number[];
  operators: readonly (readonly (FileTensor | null)[])[];
} {
  const file = readTfliteContents(bytes, 'model.tflite');
  const main = present(file.subgraphs[0], 'a subgraph');
  const codeOf = ({ opcodeIndex }: { readonly opcodeIndex: number }): number =>
    present(file.operatorCodes[opcodeIndex], 'an operator code').builtinCode;
  const fileCode = (op: OpName): number => present(ops[op].tflite, 'a file form').builtinCode;
  const leftOut = [quantizeOperator.builtinCode, fileCode('reshape'), fileCode('squeeze')];
  // The two writers order independent branches differently.
  const ordered = new Set<(typeof main.operators)[number]>();
  const visit = (tensorIndex: number): void => {
    const maker = main.operators.find(({ outputs }) => outputs.includes(tensorIndex));
    if (maker === undefined || ordered.has(maker)) return;
    maker.inputs.forEach(visit);
    ordered.add(maker);
  };
  main.outputs.forEach(visit);
  const kept = [...ordered].filter((operator) => !leftOut.includes(codeOf(operator)));
  const tensorAt = (index: number): FileTensor | null => {
    if (index < 0) return null;
    const { name, type, shape, buffer, quantization } = present(main.tensors[index], 'a tensor');
    const data = present(file.buffers[buffer], 'a buffer');
    return {
      name,
      type,
      shape,
      scales: [...(quantization?.scale ?? [])],
      zeroPoints: [...new Set(quantization?.zeroPoint)],
      values: Array.from(dataFromBytes(dtypes[type] ?? 'int8', data), Number),
    };
  };
  return {
    codes: kept.map(codeOf),
    operators: kept.map((operator) => {
      // The converter names every axis of a slice, also those that stay whole.
      const inputs = codeOf(operator) === fileCode('strided_slice') ? operator.inputs.slice(0, 1) : operator.inputs;
      return [...inputs, ...operator.outputs].map(tensorAt);
    }),
  };
}

const dtypes: { readonly [type: string]: 'int32' | 'uint8' } = { INT32: 'int32', UINT8: 'uint8' };

const describeTensor = ({ type, shape, zeroPoints, values }: FileTensor): string =>
  `${type} with zero point ${zeroPoints.join()} and ${values.length === 0 ? 'no' : `[${shape.join()}]`} values`;

/**
 * The same graph with one weight range for each fully connected layer. TensorFlow's converter fails on ranges per
 * channel there ("tfl.transpose op has mismatched quantized axes").
 */
function withPlainDenseRanges(graph: Graph): Graph {
  const builder = buildGraph(graph.name, graph.level);
  const filters = new Set(graph.nodes.flatMap(({ op, inputs }) => (op === 'fully_connected' ? [inputs[1]] : [])));
  for (const { name, type, source } of graph.values.values()) {
    if (source.kind === 'input') builder.input(name, type);
    if (source.kind === 'constant') builder.constant(name, source.data);
  }
  for (const node of graph.nodes) {
    if (node.op !== 'fake_quant' || !filters.has(node.name) || node.attrs.axis === null) {
      copyNode(builder, node, (name) => name);
      continue;
    }
    const [filter = '', , max = ''] = node.inputs;
    const { source } = valueOf(graph, max);
    const widest = source.kind === 'constant' ? Math.max(...expectDType(source.data, 'float32').data) : NaN;
    const range = [-widest, widest].map((end, at) =>
      builder.constant(`${node.name}/plain_${at}`, floatTensor([], [end])),
    );
    builder.node('fake_quant', node.name, [builder.ref(filter), ...range], { ...node.attrs, axis: null });
  }
  return verify(prune(builder.finish(graph.outputs.map((output) => builder.ref(output)))));
}

function countDiffering(ours: Runs, theirs: Runs): number {
  return theirs
    .flat()
    .reduce(
      (total, { data }, at) =>
        total +
        Array.from(data, Number).filter((value, index) => value !== Number(ours.flat()[at]?.data[index])).length,
      0,
    );
}
