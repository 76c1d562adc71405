import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { internal, present } from '../core/assert.ts';
import { perTensor } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key } from '../core/schema.ts';
import type { Split, TestData } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
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
import type { IntegerRun } from '../evaluation/integer-runs.ts';
import { checkReference, numChecked, runInteger, runLitert } from '../evaluation/integer-runs.ts';
import { compareLayers } from '../evaluation/layer-comparison.ts';
import type { TestMetrics, UnjudgedTest, UnjudgedTests } from '../measurements/metrics.ts';

const outputs = { report: { type: 'TestReport/1', file: 'test.json' } } as const;

export const test = defineStage({
  kind: 'test',
  revision: 6,
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
    const { purpose: spec } = present(networkOutputs[0], 'an output');
    const floats = await openFloats(context, environment, networkOutputs);
    const float = await floats.run(split);

    const file = inputPath(context, 'model');
    const bytes = await readInput(context, 'model');
    const interpreter = prepareInterpreter(readTflite(bytes, file), file);
    const decides = networkOutputs.some(({ task }) => task.decides);
    const validationSplit = decides ? (await environment.trainingData()).validation : null;
    const runs = { split, normalize: spec.normalize, signal: context.signal };
    const untilLitert = split.count + numChecked(interpreter.graph, split);
    const imageSteps = untilLitert + (config.litert === 'off' ? 0 : split.count);
    // The comparison of layers takes about as long as all that is before it.
    const comparisonSteps = imageSteps;
    const totalSteps = imageSteps + comparisonSteps;
    const progress = (before: number) => async (done: number) => {
      context.emit({ kind: 'progress', step: before + done, totalSteps, values: { images: done } });
      // Lets the terminal and Ctrl-C be handled between images.
      await new Promise((resolve) => setImmediate(resolve));
    };
    const fast = await openWasmInterpreter(interpreter.graph, file, { threads: environment.threads });
    let int8: Timed<IntegerRun>;
    let validation: Validated | null = null;
    try {
      int8 = await timed(environment.now, () => runInteger(fast, { ...runs, progress: progress(0) }));
      await checkReference(interpreter, fast, int8.result, { ...runs, progress: progress(split.count) });
      if (validationSplit !== null && validationSplit.count > 0) {
        const { codes } = await runInteger(fast, {
          ...runs,
          split: validationSplit,
          progress: () => Promise.resolve(),
        });
        validation = { split: validationSplit, floats: await floats.run(validationSplit), codes };
      }
    } finally {
      await fast.close();
    }
    const witness =
      config.litert === 'off'
        ? null
        : await timed(environment.now, () =>
            runLitert(bytes, interpreter.graph, file, { ...runs, progress: progress(untilLitert) }),
          );
    const litert = witness === null || 'unavailable' in witness.result ? null : witness.result;
    const litertNote = noteOf(config.litert, witness?.result ?? null);
    if (config.litert === 'required' && litert === null) {
      throw userError(
        file,
        'litert-failed',
        litertNote ?? 'LiteRT did not run',
        'set `litert: optional` to continue without LiteRT',
      );
    }

    const { evalGraph, open } = floats;
    const { layers, noise, input, compared } = await compareLayers(
      interpreter,
      evalGraph,
      split,
      spec.normalize,
      open,
      (share) => {
        context.signal.throwIfAborted();
        return progress(imageSteps)(Math.round(share * comparisonSteps));
      },
    );
    const common = {
      kind: 'test',
      n: split.count,
      litertNote,
      compared,
      input,
      preparation: spec.channels === undefined ? null : [...spec.channels],
      seconds: {
        float: float.float?.seconds ?? null,
        qat_float: float.qatFloat.seconds,
        fake_quant: float.fakeQuant.seconds,
        int8: int8.seconds,
        int8_litert: litert === null ? null : (witness?.seconds ?? null),
      },
    } as const;
    const tests = networkOutputs.map((output, index): UnjudgedTest => ({
      ...common,
      layers: layers.map((layer, at) => ({ ...layer, outputNoise: noise[at]?.[index] ?? null })),
      model: describeModel(bytes, interpreter.graph, index),
      ...output.task.measure({
        ...{ spec: output.purpose, dataset: dataFor(output, dataset), options: config },
        ...outputsAt(float, index),
        validation: output.task.decides ? validatedAt(validation, index) : null,
        areProbabilities: endsInLast(evalGraph, output.task.last, index),
        int8: codesAt(int8.result, index),
        litert: litert === null ? null : codesAt(litert, index),
        output: outputScale(interpreter.graph, index),
        numExamples: config.examples,
      }),
    }));
    const [first = internal('nothing was tested')] = tests;
    const named = networkOutputs.map(({ name }, index) => ({
      ...{ name: name ?? '', test: present(tests[index], 'a test') },
    }));
    const metrics: UnjudgedTest | UnjudgedTests = areNamed(networkOutputs) ? { kind: 'tests', outputs: named } : first;
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

function noteOf(
  wanted: 'required' | 'optional' | 'off',
  witness: IntegerRun | { readonly unavailable: string } | null,
): string | null {
  if (wanted === 'off') return 'switched off (`litert: off`)';
  return witness !== null && 'unavailable' in witness ? witness.unavailable : null;
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
