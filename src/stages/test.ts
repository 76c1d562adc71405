import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { internal } from '../core/assert.ts';
import { dequantizeValue, perTensor } from '../core/affine.ts';
import { userError } from '../core/diagnostic.ts';
import { choice, key, object } from '../core/schema.ts';
import type { Dataset, Split } from '../data/dataset.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { prepareInterpreter } from '../interpreter/interpreter.ts';
import { openWasmInterpreter } from '../interpreter/wasm/index.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { StageContext } from '../runner/plan.ts';
import { readTflite } from '../tflite/read.ts';
import { readModelFile, tensorSource } from './checkpoint.ts';
import { defineStage } from './define.ts';
import type { Evaluation } from './evaluate.ts';
import { evaluate } from './evaluate.ts';
import { inputPath, readInput, writeOutput } from './files.ts';
import { readEvalGraph } from './freeze.ts';
import { floatGraph } from './graphs.ts';
import { outputIntegers } from './integer-input.ts';
import type { IntegerRun } from './integer-runs.ts';
import { checkReference, numChecked, runInteger, runLitert } from './integer-runs.ts';
import { compareLayers } from './layer-comparison.ts';
import type { Gate, TestMetrics } from './metrics.ts';

const share = (description: string) => Type.Optional(Type.Number({ ...key(description), minimum: 0, maximum: 1 }));

const outputs = { report: { type: 'TestReport/1', file: 'test.json' } } as const;

const gatesSchema = object(
  {
    int8_top1_min: share('Least top-1 accuracy of the integer model, a share 0..1'),
    drop_max: share('Most that float top-1 may exceed int8 top-1, a share 0..1; needs a float-pretrain stage'),
    fake_quant_top1_min: share('Least top-1 accuracy of the fake-quant model, a share 0..1'),
    agreement_min: share('Least share of images on which fake-quant and int8 choose the same class'),
  },
  { ...key('Limits that the run must keep; a missed one ends it with exit code 2'), default: {} },
);

export const test = defineStage({
  kind: 'test',
  revision: 1,
  description: 'Runs the .tflite file on the test images beside the float and fake-quant models',
  from: { accepts: ['Tflite/1'], optional: false },
  produces: 'TestReport/1',
  uses: ['data', 'engine'],
  inputs: {
    model: { type: 'Tflite/1', optional: false },
    graph: { type: 'EvalGraph/1', optional: false },
    checkpoint: { type: 'Checkpoint/1', optional: false },
    qat: { type: 'QatModel/1', optional: false },
    float: { type: 'FloatModel/1', optional: true },
  },
  outputs,
  fields: {
    examples: Type.Integer({ ...key('Test images whose raw outputs are shown'), minimum: 0, default: 3 }),
    litert: choice(['required', 'optional', 'off'], {
      ...key('Whether LiteRT runs the file as a witness: it must, it may be missing, or it is not asked'),
      default: 'optional',
    }),
    gates: gatesSchema,
  },

  async run(config, context, environment) {
    const dataset = environment.dataset();
    const { test: split } = dataset;
    const { spec } = await readModelFile(inputPath(context, 'qat'));
    const open = (graph: Graph) => environment.open(graph, 1);
    const float = await timed(environment.now, () => evaluateFloat(context, split, open));
    const evalGraph = await readEvalGraph(context);
    const fakeQuant = await timed(environment.now, () =>
      evaluate(evalGraph, split, spec.normalize, open, context.signal),
    );

    const file = inputPath(context, 'model');
    const bytes = await readInput(context, 'model');
    const interpreter = prepareInterpreter(readTflite(bytes, file), file);
    const runs = { split, normalize: spec.normalize, signal: context.signal };
    const untilLitert = split.count + numChecked(split);
    const totalSteps = untilLitert + (config.litert === 'off' ? 0 : split.count);
    const progress = (before: number) => async (done: number) => {
      context.emit({ kind: 'progress', step: before + done, totalSteps, values: { images: done } });
      // Lets the terminal and Ctrl-C have their turn between images.
      await new Promise((resolve) => setImmediate(resolve));
    };
    const fast = await openWasmInterpreter(interpreter.graph, file, { threads: environment.threads });
    let int8: Timed<IntegerRun>;
    try {
      int8 = await timed(environment.now, () => runInteger(fast, { ...runs, progress: progress(0) }));
      await checkReference(interpreter, fast, int8.result, { ...runs, progress: progress(split.count) });
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
        'set `litert: optional` to go on without',
      );
    }

    const floatResult = float.result;
    const accuracy = {
      float: floatResult === null ? null : accuracyOf(floatResult.correct, split.count),
      fake_quant: accuracyOf(fakeQuant.result.correct, split.count),
      int8: accuracyOf(int8.result.correct, split.count),
      int8_litert: litert === null ? null : accuracyOf(litert.correct, split.count),
    };
    const agreement = {
      fake_quant_vs_float: floatResult === null ? null : agree(fakeQuant.result.predictions, floatResult.predictions),
      int8_vs_fake_quant: agree(int8.result.predictions, fakeQuant.result.predictions),
      int8_vs_litert: litert === null ? null : agree(int8.result.predictions, litert.predictions),
    };
    const gates = gatesOf(config.gates, accuracy, agreement.int8_vs_fake_quant);
    const metrics: TestMetrics = {
      kind: 'test',
      classes: [...dataset.classNames],
      n: split.count,
      accuracy,
      litertNote,
      confusion: confusionOf(int8.result.predictions, split, dataset.classNames.length),
      agreement,
      flips: floatResult === null ? null : flipsOf(floatResult.predictions, int8.result.predictions, split),
      layers: [...(await compareLayers(interpreter, evalGraph, split, spec.normalize, open))],
      examples: examplesOf(config.examples, dataset, spec, interpreter.graph, int8.result, floatResult),
      gates,
      model: describeModel(bytes, interpreter.graph),
      seconds: {
        float: floatResult === null ? null : float.seconds,
        fake_quant: fakeQuant.seconds,
        int8: int8.seconds,
        int8_litert: litert === null ? null : (witness?.seconds ?? null),
      },
    };
    // Times differ from run to run, so they are no part of the artifact.
    const { seconds: _seconds, ...repeatable } = metrics;
    await writeOutput(context, outputs.report, new TextEncoder().encode(`${JSON.stringify(repeatable, null, 2)}\n`));
    return { metrics, verdict: gates.every(({ ok }) => ok) ? 'pass' : 'fail' };
  },
});

interface Timed<Result> {
  readonly result: Result;
  readonly seconds: number;
}

async function timed<Result>(now: () => number, body: () => Promise<Result>): Promise<Timed<Result>> {
  const started = now();
  const result = await body();
  return { result, seconds: (now() - started) / 1000 };
}

/** The float model before quantization; null when the pipeline trained none. */
async function evaluateFloat(
  context: StageContext,
  split: Split,
  open: Parameters<typeof evaluate>[3],
): Promise<Evaluation | null> {
  const file = context.inputs['float'];
  if (file === undefined) return null;
  const { spec, tensors } = await readModelFile(file);
  const graph = floatGraph(spec, 1, tensorSource(tensors, file));
  return evaluate(graph, split, spec.normalize, open, context.signal);
}

function noteOf(
  wanted: 'required' | 'optional' | 'off',
  witness: IntegerRun | { readonly unavailable: string } | null,
): string | null {
  if (wanted === 'off') return 'not asked for (`litert: off`)';
  return witness !== null && 'unavailable' in witness ? witness.unavailable : null;
}

function accuracyOf(correct: number, n: number): { top1: number; correct: number; n: number } {
  return { top1: correct / n, correct, n };
}

function agree(a: Uint8Array, b: Uint8Array): number {
  let equal = 0;
  for (let index = 0; index < a.length; index++) if (a[index] === b[index]) equal++;
  return equal / a.length;
}

/** Rows are true classes, columns predicted ones. */
function confusionOf(predictions: Uint8Array, split: Split, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let index = 0; index < split.count; index++) matrix[split.labels[index]!]![predictions[index]!]!++;
  return matrix;
}

function flipsOf(before: Uint8Array, after: Uint8Array, split: Split): { rightToWrong: number; wrongToRight: number } {
  let [rightToWrong, wrongToRight] = [0, 0];
  for (let index = 0; index < split.count; index++) {
    const [was, is] = [before[index] === split.labels[index], after[index] === split.labels[index]];
    if (was && !is) rightToWrong++;
    if (!was && is) wrongToRight++;
  }
  return { rightToWrong, wrongToRight };
}

function gatesOf(
  limits: { readonly [name: string]: number | undefined },
  accuracy: TestMetrics['accuracy'],
  agreement: number,
): Gate[] {
  const { float, fake_quant: fakeQuant, int8 } = accuracy;
  const values: readonly Omit<Gate, 'limit' | 'ok'>[] = [
    { name: 'int8_top1_min', rule: 'at_least', value: int8.top1, unit: 'share' },
    {
      name: 'drop_max',
      rule: 'at_most',
      value: float === null ? null : float.top1 - int8.top1,
      unit: 'share_difference',
    },
    { name: 'fake_quant_top1_min', rule: 'at_least', value: fakeQuant?.top1 ?? null, unit: 'share' },
    { name: 'agreement_min', rule: 'at_least', value: agreement, unit: 'share' },
  ];
  return values.flatMap((gate) => {
    const limit = limits[gate.name];
    if (limit === undefined) return [];
    const { rule, value } = gate;
    // Shares of a finite test set differ by multiples of 1/n; 1e-9 is only float64's rounding of their difference.
    const ok = value !== null && (rule === 'at_least' ? value >= limit - 1e-9 : value <= limit + 1e-9);
    return [{ ...gate, limit, ok }];
  });
}

function examplesOf(
  wanted: number,
  dataset: Dataset,
  spec: ModelSpec,
  graph: Graph,
  int8: IntegerRun,
  float: Evaluation | null,
): TestMetrics['examples'] {
  const { test: split } = dataset;
  const { scale, zeroPoint } = outputIntegers(graph);
  const classes = int8.codes.length / split.count;
  const [height, width, channels] = spec.image;
  const size = height * width * channels;
  return Array.from({ length: Math.min(wanted, split.count) }, (_, index) => {
    const raw = [...int8.codes.subarray(index * classes, (index + 1) * classes)];
    const pixels = Buffer.from(split.images.subarray(index * size, (index + 1) * size)).toString('base64');
    return {
      index,
      label: split.labels[index]!,
      raw,
      scale,
      zeroPoint,
      dequantized: raw.map((code) => dequantizeValue(code, scale, zeroPoint)),
      predicted: int8.predictions[index]!,
      floatPredicted: float === null ? null : float.predictions[index]!,
      image: channels === 1 || channels === 3 ? { width, height, channels, pixels } : null,
    };
  });
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
