import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { internal, present } from '../core/assert.ts';
import { perTensor } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key } from '../core/schema.ts';
import type { Split, TestData } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import { openWasmInterpreter } from '../interpreter/wasm/index.ts';
import { logitsOf, removeFakeQuant } from '../passes/index.ts';
import type { TaskRow } from '../tasks/define.ts';
import type { StageContext } from '../runner/plan.ts';
import { readTflite } from '../tflite/read.ts';
import { readModelFile } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import { evaluateOutputs } from '../evaluation/evaluate.ts';
import { inputPath, readInput, writeOutput } from './files.ts';
import { readEvalGraph } from './freeze.ts';
import { gatesSchema, judgeGates, outputGatesSchema } from '../tasks/gates.ts';
import type { Output } from '../tasks/outputs.ts';
import { areNamed, examplesFor, outputsOf } from '../tasks/outputs.ts';
import type { Tested } from '../tasks/tested.ts';
import { testFields } from '../tasks/tested.ts';
import type { StageEnvironment } from './run.ts';
import { floatGraph } from '../evaluation/graphs.ts';
import { outputScale } from '../evaluation/integer-input.ts';
import type { IntegerRun, RunContext } from '../evaluation/integer-runs.ts';
import { checkReference, numChecked, runInteger, runLitert } from '../evaluation/integer-runs.ts';
import { compareLayers } from '../evaluation/layer-comparison.ts';
import type { TestMetrics, UnjudgedTest, UnjudgedTests } from '../measurements/metrics.ts';

const outputs = { report: { type: 'TestReport/1', file: 'test.json' } } as const;

export const test = defineStage({
  kind: 'test',
  revision: 7,
  description:
    'Tests the .tflite file on the test images, with the integers of a microcontroller (TFLM) and of a phone or ' +
    'browser (LiteRT, XNNPACK), and compares it with the float and fake-quant models',
  from: { accepts: ['Tflite/1'], optional: false },
  produces: 'TestReport/1',
  uses: ['validation-data', 'test-data', 'engine'],
  inputs: {
    model: { type: 'Tflite/1', optional: false },
    graph: { type: 'EvalGraph/1', optional: false },
    checkpoint: { type: 'Checkpoint/1', optional: false },
    qat: { type: 'QatModel/2', optional: false },
    float: { type: 'FloatModel/2', optional: true },
  },
  outputs,
  fields: {
    examples: Type.Integer({
      ...key(
        'How many test examples the report shows of each kind: turned right, wrong with confidence or furthest from float; twice as many that turned wrong',
      ),
      minimum: 0,
      default: 4,
    }),
    litert: choice(['required', 'optional', 'off'], {
      ...key(
        'Whether the file is also tested with the integers of a phone or browser (LiteRT, XNNPACK): required, only if ' +
          'LiteRT takes it (optional), or never (off)',
      ),
      default: 'optional',
    }),
    ...testFields,
    gates: gatesSchema,
    output_gates: Type.Optional(outputGatesSchema),
  },

  async run(config, context, environment) {
    const dataset = await environment.testData();
    const { test: split } = dataset;
    const networkOutputs = outputsOf((await readModelFile(inputPath(context, 'qat'))).contract);
    const { purpose } = present(networkOutputs[0], 'an output');
    const floats = await openFloats(context, environment, networkOutputs);
    const float = await floats.run(split);
    const shipped = await readShipped(context);
    const { graph } = shipped.interpreter;
    const runs = { split, normalize: purpose.normalize, signal: context.signal };
    const progress = progressOf(context, graph, split, config.litert);
    const deciding = await decidingExamples(networkOutputs, environment);
    const { int8, decidingCodes } = await testKernels(shipped, deciding, runs, progress, environment);
    const validation =
      deciding === null ? null : { split: deciding, floats: await floats.run(deciding), codes: decidingCodes };
    const litertRuns = { ...runs, progress: progress.litert };
    const { litert, litertNote } = await testLitert(shipped, config.litert, litertRuns, environment.now);
    const { evalGraph, open } = floats;
    const { layers, noise, input, compared } = await compareLayers(
      shipped.interpreter,
      evalGraph,
      split,
      purpose.normalize,
      open,
      progress.layers,
    );
    const common = {
      kind: 'test',
      n: split.count,
      litertNote,
      compared,
      input,
      preparation: purpose.channels === undefined ? null : [...purpose.channels],
      seconds: secondsOf(float, int8, litert),
    } as const;
    const tests = networkOutputs.map((output, index): UnjudgedTest => ({
      ...common,
      layers: layers.map((layer, at) => ({ ...layer, outputNoise: noise[at]?.[index] ?? null })),
      model: describeModel(shipped.bytes, graph, index),
      ...output.task.measure({
        ...{ spec: output.purpose, dataset: dataFor(output, dataset), options: config },
        ...outputsAt(float, index),
        validation: output.task.decides ? validatedAt(validation, index) : null,
        areProbabilities: endsInLast(evalGraph, output.task.last, index),
        int8: codesAt(int8.result, index),
        litert: litert === null ? null : codesAt(litert.result, index),
        output: outputScale(graph, index),
        numExamples: config.examples,
      }),
    }));
    const metrics = byOutput(networkOutputs, tests);
    const encoded = JSON.stringify(repeatable(metrics), null, 2);
    await writeOutput(context, outputs.report, new TextEncoder().encode(`${encoded}\n`));
    return { metrics: { ...metrics } };
  },

  judge({ gates: limits, output_gates: limitsOf = {} }, metrics) {
    const measured = metrics as unknown as UnjudgedTest | UnjudgedTests; // what `run` measured
    if (measured.kind === 'test') {
      const gates = judgeGates(limits, measured);
      return { metrics: { ...metrics, gates }, verdict: gates.every(({ ok }) => ok) ? 'pass' : 'fail' };
    }
    const judged = measured.outputs.map(({ name, test: one }) => ({
      ...{ name, test: { ...one, gates: judgeGates({ ...limits, ...limitsOf[name] }, one) } },
    }));
    const isMet = judged.every(({ test: { gates } }) => gates.every(({ ok }) => ok));
    return { metrics: { kind: 'tests', outputs: judged }, verdict: isMet ? 'pass' : 'fail' };
  },
});

/** The file under test. */
interface Shipped {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** The reference loops on what these bytes hold. */
  readonly interpreter: Interpreter;
}

async function readShipped(context: StageContext): Promise<Shipped> {
  const file = inputPath(context, 'model');
  const bytes = await readInput(context, 'model');
  return { file, bytes, interpreter: prepareInterpreter(readTflite(bytes, file), file) };
}

type Litert = 'required' | 'optional' | 'off';

/** The progress of each part of the stage, counted in images. The parts run in this order. */
function progressOf(context: StageContext, graph: Graph, split: Split, wanted: Litert) {
  const beforeLitert = split.count + numChecked(graph, split);
  const beforeLayers = beforeLitert + (wanted === 'off' ? 0 : split.count);
  // The comparison of layers takes about as long as all that is before it.
  const totalSteps = 2 * beforeLayers;
  const after = (before: number) => async (done: number) => {
    context.emit({ kind: 'progress', step: before + done, totalSteps, values: { images: done } });
    // Lets the terminal and Ctrl-C be handled between images.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    int8: after(0),
    reference: after(split.count),
    litert: after(beforeLitert),
    layers: (share: number): Promise<void> => {
      context.signal.throwIfAborted();
      return after(beforeLayers)(Math.round(share * beforeLayers));
    },
  };
}

/** The validation examples; null where no task chooses anything by them, and where there are none. */
async function decidingExamples(outputs: readonly Output[], environment: StageEnvironment): Promise<Split | null> {
  if (!outputs.some(({ task }) => task.decides)) return null;
  const { validation } = await environment.trainingData();
  return validation.count > 0 ? validation : null;
}

/**
 * The integers of a microcontroller, from the SIMD kernels: for the test examples, on some of which the reference loops
 * must give the same, and for the examples that decide.
 */
async function testKernels(
  { interpreter, file }: Shipped,
  deciding: Split | null,
  runs: Omit<RunContext, 'progress'>,
  progress: ReturnType<typeof progressOf>,
  { threads, now }: StageEnvironment,
): Promise<{ readonly int8: Timed<IntegerRun>; readonly decidingCodes: IntegerRun['codes'] }> {
  const fast = await openWasmInterpreter(interpreter.graph, file, { threads });
  try {
    const int8 = await timed(now, () => runInteger(fast, { ...runs, progress: progress.int8 }));
    await checkReference(interpreter, fast, int8.result, { ...runs, progress: progress.reference });
    if (deciding === null) return { int8, decidingCodes: [] };
    const { codes } = await runInteger(fast, { ...runs, split: deciding, progress: () => Promise.resolve() });
    return { int8, decidingCodes: codes };
  } finally {
    await fast.close();
  }
}

/**
 * The integers of a phone or browser for the test examples; null with a note where LiteRT does not run.
 *
 * @throws UserError code 'litert-failed' where it is required and does not run
 */
async function testLitert(
  { bytes, file, interpreter }: Shipped,
  wanted: Litert,
  runs: RunContext,
  now: () => number,
): Promise<{ readonly litert: Timed<IntegerRun> | null; readonly litertNote: string | null }> {
  if (wanted === 'off') return { litert: null, litertNote: 'switched off (`litert: off`)' };
  const { result, seconds } = await timed(now, () => runLitert(bytes, interpreter.graph, file, runs));
  if (!('unavailable' in result)) return { litert: { result, seconds }, litertNote: null };
  if (wanted === 'required') {
    throw userError(file, 'litert-failed', result.unavailable, 'set `litert: optional` to continue without LiteRT');
  }
  return { litert: null, litertNote: result.unavailable };
}

function secondsOf(
  { float, qatFloat, fakeQuant }: FloatRuns,
  int8: Timed<IntegerRun>,
  litert: Timed<IntegerRun> | null,
): TestMetrics['seconds'] {
  return {
    float: float?.seconds ?? null,
    qat_float: qatFloat.seconds,
    fake_quant: fakeQuant.seconds,
    int8: int8.seconds,
    int8_litert: litert?.seconds ?? null,
  };
}

/** The test of the only output, or the tests of all by name. */
function byOutput(outputs: readonly Output[], tests: readonly UnjudgedTest[]): UnjudgedTest | UnjudgedTests {
  const [first = internal('nothing was tested')] = tests;
  if (!areNamed(outputs)) return first;
  const named = outputs.map(({ name }, index) => ({ name: name ?? '', test: present(tests[index], 'a test') }));
  return { kind: 'tests', outputs: named };
}

/** Times differ from run to run, so they are no part of the artifact. */
function repeatable(metrics: UnjudgedTest | UnjudgedTests): object {
  const timeless = ({ seconds: _seconds, ...others }: UnjudgedTest): object => others;
  if (metrics.kind === 'test') return timeless(metrics);
  return { ...metrics, outputs: metrics.outputs.map(({ name, test: one }) => ({ name, test: timeless(one) })) };
}

/** The data as an output is measured on them. */
function dataFor(output: Output, dataset: TestData): TestData {
  return { ...dataset, test: examplesFor(output, dataset.test, dataset.targets) };
}

function endsInLast(graph: Graph, last: TaskRow['last'], index: number): boolean {
  return last !== null && logitsOf(graph, last, index) !== graph.outputs[index];
}

/** What the models say of the validation examples. */
interface Validated {
  readonly split: Split;
  readonly floats: FloatRuns;
  readonly codes: IntegerRun['codes'];
}

function validatedAt(validated: Validated | null, index: number): Tested['validation'] {
  if (validated === null) return null;
  const { split, floats, codes } = validated;
  return { split, ...outputsAt(floats, index), int8: codesAt({ codes }, index) };
}

const codesAt = ({ codes }: IntegerRun, index: number): Int32Array => present(codes[index], 'the codes of an output');

interface Timed<Result> {
  readonly result: Result;
  readonly seconds: number;
}

async function timed<Result>(now: () => number, body: () => Promise<Result>): Promise<Timed<Result>> {
  const started = now();
  const result = await body();
  return { result, seconds: (now() - started) / 1000 };
}

/** What the models before the integers say of a split; float is null when the pipeline trained none. */
interface FloatRuns {
  readonly float: Timed<Evaluations> | null;
  readonly qatFloat: Timed<Evaluations>;
  readonly fakeQuant: Timed<Evaluations>;
}

/** By output. */
type Evaluations = readonly Evaluation[];

async function openFloats(context: StageContext, environment: StageEnvironment, networkOutputs: readonly Output[]) {
  const { normalize } = present(networkOutputs[0], 'an output').purpose;
  const lasts = networkOutputs.map(({ task }) => task.last);
  const open = (graph: Graph) => environment.open(graph, 1);
  const evalGraph = await readEvalGraph(context);
  const floatGraphOfRun = await readFloatGraph(context);
  const run = async (split: Split): Promise<FloatRuns> => {
    const evaluated = (graph: Graph) =>
      timed(environment.now, () => evaluateOutputs(graph, split, normalize, open, context.signal, lasts));
    return {
      float: floatGraphOfRun === null ? null : await evaluated(floatGraphOfRun),
      qatFloat: await evaluated(removeFakeQuant(evalGraph)),
      fakeQuant: await evaluated(evalGraph),
    };
  };
  return { evalGraph, open, run };
}

function outputsAt({ float, qatFloat, fakeQuant }: FloatRuns, index: number) {
  const of = (evaluations: Evaluations): Float32Array => present(evaluations[index], 'an evaluated output').outputs;
  return {
    float: float === null ? null : of(float.result),
    qatFloat: of(qatFloat.result),
    fakeQuant: of(fakeQuant.result),
  };
}

/** The float model before quantization; null when the pipeline trained none. */
async function readFloatGraph(context: StageContext): Promise<Graph | null> {
  const file = context.inputs['float'];
  if (file === undefined) return null;
  return floatGraph(await readModelFile(file));
}

function describeModel(bytes: Uint8Array, graph: Graph, output: number): TestMetrics['model'] {
  return {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: portOf(graph, graph.inputs[0] ?? internal('the model has no input')),
    output: portOf(graph, graph.outputs[output] ?? internal(`the model has no output ${output}`)),
  };
}

function portOf(graph: Graph, name: string): TestMetrics['model']['input'] {
  const { type, quant } = valueOf(graph, name);
  const { scale, zeroPoint } = quant === null ? { scale: null, zeroPoint: null } : perTensor(quant, name);
  return { name, dtype: type.dtype, shape: [...type.shape], scale, zeroPoint };
}
