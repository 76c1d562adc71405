/**
 * One thread of the interpreter. Each message is a task, in which it sleeps on the turn word; each new value is a turn,
 * of which every thread takes image after image. The last one to finish reports. A thread that fails reports that, and
 * ends the pool.
 */
import { parentPort } from 'node:worker_threads';
import { internal } from '../../core/assert.ts';
import type { Graph } from '../../graph/graph.ts';
import type { IntegerData, IntegerKernelFactory } from '../../ops/define.ts';
import { ops } from '../../ops/index.ts';
import { endOfTurns } from '../../wasm/threads.ts';
import type { WorkerMessage } from '../../wasm/threads.ts';
import { CONTROL } from './plan.ts';
import type { Step, View } from './plan.ts';
import type { WorkerTask } from './threads.ts';
import { viewOf } from './view.ts';

function report(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function prepare(step: Step, memory: WebAssembly.Memory, run: (program: number) => void): () => void {
  if (step.kind === 'program') return () => run(step.address);
  // The op's own record made these attributes, so its own kernel reads them.
  const factory = ops[step.op].int8 as IntegerKernelFactory<Graph['nodes'][number]['attrs']> | null;
  if (factory === null) return internal(`${step.op} has no integer loops`);
  const kernel = factory(step.node);
  const view = (place: View): IntegerData => viewOf(memory, place);
  const [from, to] = [step.inputs.map(view), step.outputs.map(view)];
  return () => kernel(from, to);
}

function work({ module, memory, thread, threads, plan, inputs, outputs }: WorkerTask): void {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const run = instance.exports['run'] as (program: number) => void; // exported by assembly/index.ts
  const steps = plan.steps.map((step) => prepare(step, memory, run));
  const words = new Int32Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  let turn = 0;
  for (;;) {
    Atomics.wait(words, CONTROL.turn, turn);
    const next = Atomics.load(words, CONTROL.turn);
    if (next === endOfTurns) return;
    if (next === turn) continue;
    turn = next;
    const images = words[CONTROL.images]!;
    for (;;) {
      const image = Atomics.add(words, CONTROL.next, 1);
      if (image >= images) break;
      words[CONTROL.taker] = thread;
      for (const [index, { address, imageBytes }] of inputs.entries()) {
        const from = address + image * imageBytes;
        bytes.copyWithin(plan.inputs[index]!, from, from + imageBytes);
      }
      for (const step of steps) step();
      for (const [index, { address, imageBytes }] of outputs.entries()) {
        const from = plan.outputs[index]!;
        bytes.copyWithin(address + image * imageBytes, from, from + imageBytes);
      }
    }
    if (Atomics.add(words, CONTROL.finished, 1) === threads - 1) report({ kind: 'done' });
  }
}

parentPort?.on('message', (task: WorkerTask) => {
  try {
    work(task);
  } catch (error) {
    report({ kind: 'failed', reason: String(error) });
  }
});
