/**
 * A process that measures one case on one of our engines and prints its `Answer`, or why there is none, as JSON.
 *
 * Arguments: the case as JSON, and the folder with the integer models.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { qpipeHome } from '../dist/install/home.js';
import { UserError } from '../dist/core/diagnostic.js';
import { wasmEngine } from '../dist/engine/wasm/index.js';
import { openWasmInterpreter } from '../dist/interpreter/wasm/index.js';
import { readTflite } from '../dist/tflite/read.js';
import { blockImages, networks, repetitions } from './cases.js';
import { randomFeeds, stepGraph } from './graphs.js';
import { median } from './statistics.js';

/** @typedef {import('./cases.js').Case} Case */
/** @typedef {import('../dist/engine/engine.js').Engine} Engine */

/** Why a case cannot be measured on this machine. */
class Skipped extends Error {}

/**
 * @param {import('./cases.js').Repetitions} repetitions
 * @param {number} parts that a step's time is divided by
 * @param {() => Promise<void>} step
 * @returns {Promise<import('./statistics.js').Sample>}
 */
async function time({ warmup, steps }, parts, step) {
  const times = [];
  for (let index = 0; index < warmup + steps; index++) {
    const start = performance.now();
    await step();
    if (index >= warmup) times.push((performance.now() - start) / parts);
  }
  return { median: median(times), best: Math.min(...times) };
}

/** @type {(measured: Case) => Promise<Engine>} */
async function engineOf({ who }) {
  switch (who) {
    case 'wasm-strict':
      return wasmEngine;
    case 'tensorflow':
      return tensorflowEngine();
    default:
      throw new Error(`internal: ${who} is no engine`);
  }
}

/** @returns {Promise<Engine>} */
async function tensorflowEngine() {
  // By a name that is not known before, so that a build without this engine compiles and measures the others.
  const file = new URL('../dist/engine/tensorflow/index.js', import.meta.url).href;
  try {
    /** @type {{ loadTensorflowEngine: (home: string) => Promise<Engine> }} */
    const { loadTensorflowEngine } = await import(file);
    return await loadTensorflowEngine(qpipeHome());
  } catch (error) {
    if (error instanceof UserError) throw new Skipped(error.diagnostics[0]?.message);
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new Skipped('this build has no such engine');
    }
    throw error;
  }
}

/** @typedef {import('./statistics.js').Sample & { readonly version: string }} Answer */

/** @type {(measured: Case, level: 'float' | 'qat') => Promise<Answer>} */
async function timeTraining(measured, level) {
  const { network, batch, threads } = measured;
  const engine = await engineOf(measured);
  const graph = stepGraph(network, level, batch);
  const feeds = randomFeeds(graph, network, batch);
  const session = await engine.open(graph, { replicas: 1, threads });
  const losses = new Float32Array(1);
  const sample = await time(repetitions(network, level), 1, async () => {
    const outputs = await session.run(feeds);
    losses.set(outputs.get(graph.outputs[0] ?? '')?.subarray(0, 1) ?? [NaN]);
  });
  await session.close();
  // Arithmetic on NaN takes another time.
  if (!Number.isFinite(losses[0])) throw new Error(`internal: the loss of ${network} became ${losses[0]}`);
  return { ...sample, version: `version ${engine.version} on Node ${process.versions.node}` };
}

/** @type {(measured: Case, models: string) => Promise<Answer>} */
async function timeInference({ network, level, threads }, models) {
  const file = join(models, `${network}.tflite`);
  const graph = readTflite(await readFile(file), file);
  const interpreter = await openWasmInterpreter(graph, file, { threads });
  const [height, width, channels] = networks[network].image;
  const images = Int8Array.from({ length: blockImages * height * width * channels }, (_, index) => index % 251);
  const sample = await time(repetitions(network, level), blockImages, async () => {
    await interpreter.run([images]);
  });
  await interpreter.close();
  return { ...sample, version: `Node ${process.versions.node}` };
}

const [text = '', models = ''] = process.argv.slice(2);
/** @type {Case} */
const measured = JSON.parse(text);
try {
  const { level } = measured;
  const answer = await (level === 'int8' ? timeInference(measured, models) : timeTraining(measured, level));
  console.log(JSON.stringify(answer));
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  console.log(JSON.stringify({ skipped: error.message }));
}
