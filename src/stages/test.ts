import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { perTensor } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key } from '../core/schema.ts';
import type { Split } from '../data/dataset.ts';
import type { Purpose } from '../graph/contract.ts';
import { purposeOf } from '../graph/contract.ts';
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
import { evaluate } from '../evaluation/evaluate.ts';
import { inputPath, readInput, writeOutput } from './files.ts';
import { readEvalGraph } from './freeze.ts';
import { gatesSchema, judgeGates } from '../tasks/gates.ts';
import { tasks } from '../tasks/index.ts';
import type { Tested } from '../tasks/tested.ts';
import { testFields } from '../tasks/tested.ts';
import type { StageEnvironment } from './run.ts';
import { floatGraph } from '../evaluation/graphs.ts';
import { outputScale } from '../evaluation/integer-input.ts';
import type { IntegerRun } from '../evaluation/integer-runs.ts';
import { checkReference, numChecked, runInteger, runLitert } from '../evaluation/integer-runs.ts';
import { compareLayers } from '../evaluation/layer-comparison.ts';
import type { TestMetrics, UnjudgedTest } from '../measurements/metrics.ts';

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
  },

  async run(config, context, environment) {
    const dataset = await environment.testData();
    const { test: split } = dataset;
    const spec = purposeOf((await readModelFile(inputPath(context, 'qat'))).contract);
    const floats = await openFloats(context, environment, spec);
    const float = await floats.run(split);

    const file = inputPath(context, 'model');
    const bytes = await readInput(context, 'model');
    const interpreter = prepareInterpreter(readTflite(bytes, file), file);
    const validationSplit = tasks[spec.task].decides ? (await environment.trainingData()).validation : null;
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
    let validation: Tested['validation'] = null;
    try {
      int8 = await timed(environment.now, () => runInteger(fast, { ...runs, progress: progress(0) }));
      await checkReference(interpreter, fast, int8.result, { ...runs, progress: progress(split.count) });
      if (validationSplit !== null && validationSplit.count > 0) {
        const { codes } = await runInteger(fast, {
          ...runs,
          split: validationSplit,
          progress: () => Promise.resolve(),
        });
        validation = { split: validationSplit, ...outputsOf(await floats.run(validationSplit)), int8: codes };
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

    const measured = tasks[spec.task].measure({
      ...{ spec, dataset, options: config, validation, ...outputsOf(float) },
      areProbabilities: endsInLast(floats.evalGraph, tasks[spec.task].last),
      int8: int8.result.codes,
      litert: litert?.codes ?? null,
      output: outputScale(interpreter.graph),
      numExamples: config.examples,
    });
    const { evalGraph, open } = floats;
    const { layers, input, compared } = await compareLayers(
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
    const metrics: UnjudgedTest = {
      kind: 'test',
      n: split.count,
      litertNote,
      compared,
      layers: [...layers],
      input,
      preparation: spec.channels === undefined ? null : [...spec.channels],
      model: describeModel(bytes, interpreter.graph),
      seconds: {
        float: float.float?.seconds ?? null,
        qat_float: float.qatFloat.seconds,
        fake_quant: float.fakeQuant.seconds,
        int8: int8.seconds,
        int8_litert: litert === null ? null : (witness?.seconds ?? null),
      },
      ...measured,
    };
    // Times differ from run to run, so they are no part of the artifact.
    const { seconds: _seconds, ...repeatable } = metrics;
    await writeOutput(context, outputs.report, new TextEncoder().encode(`${JSON.stringify(repeatable, null, 2)}\n`));
    return { metrics };
  },

  judge({ gates: limits }, metrics) {
    const gates = judgeGates(limits, metrics as UnjudgedTest); // what `run` measured
    return { metrics: { ...metrics, gates }, verdict: gates.every(({ ok }) => ok) ? 'pass' : 'fail' };
  },
});

function endsInLast(graph: Graph, last: TaskRow['last']): boolean {
  return last !== null && logitsOf(graph, last) !== graph.outputs[0];
}

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
  readonly float: Timed<Evaluation> | null;
  readonly qatFloat: Timed<Evaluation>;
  readonly fakeQuant: Timed<Evaluation>;
}

async function openFloats(context: StageContext, environment: StageEnvironment, { normalize }: Purpose) {
  const open = (graph: Graph) => environment.open(graph, 1);
  const evalGraph = await readEvalGraph(context);
  const floatGraphOfRun = await readFloatGraph(context);
  const run = async (split: Split): Promise<FloatRuns> => {
    const evaluated = (graph: Graph) =>
      timed(environment.now, () => evaluate(graph, split, normalize, open, context.signal));
    return {
      float: floatGraphOfRun === null ? null : await evaluated(floatGraphOfRun),
      qatFloat: await evaluated(removeFakeQuant(evalGraph)),
      fakeQuant: await evaluated(evalGraph),
    };
  };
  return { evalGraph, open, run };
}

const outputsOf = ({ float, qatFloat, fakeQuant }: FloatRuns) => ({
  float: float?.result.outputs ?? null,
  qatFloat: qatFloat.result.outputs,
  fakeQuant: fakeQuant.result.outputs,
});

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

function describeModel(bytes: Uint8Array, graph: Graph): TestMetrics['model'] {
  return {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: portOf(graph, graph.inputs[0] ?? internal('the model has no input')),
    output: portOf(graph, graph.outputs[0] ?? internal('the model has no output')),
  };
}

function portOf(graph: Graph, name: string): TestMetrics['model']['input'] {
  const { type, quant } = valueOf(graph, name);
  const { scale, zeroPoint } = quant === null ? { scale: null, zeroPoint: null } : perTensor(quant, name);
  return { name, dtype: type.dtype, shape: [...type.shape], scale, zeroPoint };
}
