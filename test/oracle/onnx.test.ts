/** Random ONNX networks give the numbers of ONNX Runtime after their import. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { floatTensor, transposeTensor } from '../../src/core/tensor.ts';
import { readGraphDef, writeGraphDef } from '../../src/formats/protobuf/graph-def.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { exportGraphDef } from '../../src/graphdef/export.ts';
import { importGraphDef } from '../../src/graphdef/import.ts';
import { separateBatchNorms } from '../../src/importers/batch-norms.ts';
import type { Imported } from '../../src/importers/define.ts';
import { foldedOps } from '../../src/importers/onnx/fold.ts';
import { readOnnx } from '../../src/importers/onnx/read.ts';
import { rules } from '../../src/importers/onnx/table.ts';
import { prepareInterpreter } from '../../src/interpreter/interpreter.ts';
import {
  evalPasses,
  freezePasses,
  lowerToIntegers,
  prune,
  removeDropout,
  runPasses,
  setBatch,
  trainedRanges,
} from '../../src/passes/index.ts';
import { readTflite } from '../../src/tflite/read.ts';
import { writeTflite } from '../../src/tflite/write.ts';
import { runSteps } from '../models/networks.ts';
import { floatOf, relativeError } from './closeness.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { expectBytes, expectList, hasRuntimes, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const NETWORKS = Number(process.env['ORACLE_NETWORKS'] ?? 200);
/** Of the output's range: both sides add float32 products, in different orders. */
const TOLERANCE = 1e-4;

interface Case {
  readonly model: Uint8Array;
  /** For each example, the values of all inputs; the same for outputs. */
  readonly inputs: readonly (readonly FloatTensor[])[];
  readonly outputs: readonly (readonly FloatTensor[])[];
  readonly names: readonly string[];
  readonly ops: readonly string[];
  readonly plain: boolean;
  readonly compare: 'values' | 'logarithms' | 'largest';
}

function caseOf(value: OracleValue): Case {
  if (typeof value !== 'object' || value === null || !('model' in value)) return internal('the oracle gave no network');
  const { model, inputs, outputs, names, ops, plain, compare } = value;
  const tensors = (list: OracleValue | undefined) => expectList(list).map((values) => expectList(values).map(floatOf));
  return {
    ...{ model: expectBytes(model), inputs: tensors(inputs), outputs: tensors(outputs) },
    ...{ names: expectList(names).map(String), ops: expectList(ops).map(String), plain: plain === true },
    compare: compare === 'logarithms' || compare === 'largest' ? compare : 'values',
  };
}

/** The importer says which ports have their channels last; ONNX's tensor in that order. */
function asOurs({ notes }: Imported, port: string, tensor: FloatTensor): FloatTensor {
  const isLast = notes.some((note) => note.includes(`"${port}"`) && note.includes('channels come last'));
  const rank = tensor.shape.length;
  if (!isLast) return tensor;
  return transposeTensor(tensor, [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1]);
}

/** Both examples as one batch: nothing in a graph depends on the batch being one. */
async function runOurs(
  graph: Graph,
  examples: readonly (readonly FloatTensor[])[],
): Promise<readonly Float32Array[][]> {
  const batched = setBatch(graph, examples.length);
  const feeds = graph.inputs.map((name, index) => {
    const parts = examples.map((values) => values[index]?.data ?? new Float32Array());
    return [name, Float32Array.from(parts.flatMap((part) => Array.from(part)))] as const;
  });
  const [step] = await runSteps(batched, [new Map(feeds)]);
  return examples.map((_, example) =>
    graph.outputs.map((name) => {
      const all = step?.outputs.get(name) ?? new Float32Array();
      const size = all.length / examples.length;
      return all.slice(example * size, (example + 1) * size);
    }),
  );
}

async function failuresOf(one: Case, name: string): Promise<readonly string[]> {
  const imported = readOnnx(one.model, name);
  const { graph } = imported;
  const inputNames = /The input "([^"]+)"/;
  const ports = imported.notes.map((note) => inputNames.exec(note)?.[1]);
  const examples = one.inputs.map((values) =>
    values.map((tensor, index) => asOurs(imported, ports[index] ?? '', tensor)),
  );
  const transposes = graph.nodes.filter(({ op }) => op === 'transpose').length;
  const failures = one.plain && transposes > 0 ? [`${name} has ${transposes} transposes`] : [];
  const ours = await runOurs(graph, examples);
  for (const [example, expected] of one.outputs.entries()) {
    for (const [index, tensor] of expected.entries()) {
      const found = ours[example]?.[index] ?? new Float32Array();
      const wanted = asOurs(imported, one.names[index] ?? '', tensor).data;
      const error = index > 0 ? relativeError(found, wanted) : errorOf(one.compare, found, wanted);
      if (!(error < TOLERANCE)) failures.push(`${name}, output ${index}: ${error} (${one.ops.join(', ')})`);
    }
  }
  return failures;
}

const ranges = trainedRanges((name) => floatTensor([], [name.endsWith('/min') ? -3 : 3]));

/** What the stages do with a network, by way of the files that they write. */
function convert(whole: Graph): void {
  const graph = removeDropout(separateBatchNorms(prune({ ...whole, outputs: whole.outputs.slice(0, 1) })).graph);
  const { graphDef, variables } = exportGraphDef(runPasses(graph, evalPasses({ ranges, input: { min: -3, max: 3 } })));
  const evaluated = importGraphDef(readGraphDef(writeGraphDef(graphDef), 'eval.pb'), variables, 'eval.pb');
  const frozen = writeGraphDef(exportGraphDef(runPasses(evaluated, freezePasses)).graphDef);
  const { graph: lowered } = lowerToIntegers(
    importGraphDef(readGraphDef(frozen, 'frozen.pb'), new Map(), 'frozen.pb'),
    'int8',
    'frozen.pb',
  );
  const file = writeTflite(verify(lowered));
  prepareInterpreter(verify(readTflite(file, 'model.tflite')), 'model.tflite');
}

function errorOf(compare: Case['compare'], found: Float32Array, wanted: Float32Array): number {
  if (compare === 'logarithms') return relativeError(found, wanted.map(Math.exp));
  if (compare === 'values') return relativeError(found, wanted);
  return found.indexOf(Math.max(...found)) === wanted[0] ? 0 : Infinity;
}

describe.skipIf(!hasRuntimes)(`ONNX, ORACLE_SEED=${seed}`, { timeout: 300_000 }, () => {
  let oracle: Oracle;
  const seen = new Set<string>();
  const models: Uint8Array[] = [];
  beforeAll(async () => {
    oracle = openOracle('runtimes');
    await oracle.evaluate('onnx_networks.onnx.__version__');
  });
  afterAll(() => oracle.close());

  it(`${NETWORKS} random networks give what ONNX Runtime gives`, async () => {
    const failures: string[] = [];
    for (let index = 0; index < NETWORKS; index++) {
      const one = caseOf(await oracle.evaluate('onnx_networks.random_network(seed, index)', { seed, index }));
      for (const op of one.ops) seen.add(op);
      models.push(one.model);
      try {
        failures.push(...(await failuresOf(one, `network ${index}`)));
      } catch (error) {
        failures.push(`network ${index}: ${String(error)}`);
      }
    }
    expect(failures).toEqual([]);
  });

  it.each([13, 15, 17, 18, 21])(
    'what opset %i computes of constants and shapes is what ONNX Runtime computes',
    async (opset) => {
      const failures: string[] = [];
      const count = { ops: 0, nodes: 0 };
      for (const op of foldedOps) {
        const cases = expectList(await oracle.evaluate('onnx_networks.folding(opset, op)', { opset, op })).map(caseOf);
        count.nodes += cases.length;
        count.ops += cases.length > 0 ? 1 : 0;
        for (const [index, one] of cases.entries()) failures.push(...(await failuresOf(one, `${op} ${index}`)));
      }
      console.info(`opset ${opset}: ${count.nodes} nodes of ${count.ops} op types are computed on import`);
      expect(failures).toEqual([]);
      expect(count.ops).toBe(opset < 15 ? foldedOps.length - 1 : foldedOps.length);
    },
  );

  it('their first outputs go through quantization to an integer .tflite that runs', () => {
    const networks = models.map((bytes, index) => ({ ...readOnnx(bytes, 'a.onnx'), name: `network ${index}` }));
    const single = networks.filter(
      ({ graph }) => graph.inputs.length === 1 && !graph.inputs.includes(graph.outputs[0] ?? ''),
    );
    expect(single.length).toBeGreaterThan(networks.length / 2);
    for (const { graph, name } of single) expect(() => convert(graph), name).not.toThrow();
  });

  it('cover every op that is imported', () => {
    expect(Object.keys(rules).filter((op) => !seen.has(op))).toEqual([]);
  });
});
