// @ts-check
/**
 * One compute thread. Each message is a task, in which it sleeps on the control word; each new value of the word is one
 * step, -1 (`endOfTurns`) is the end of the task. Thread 0 reports when a step is done; every thread reports its own
 * failure, after which the session is lost.
 */
import { parentPort } from 'node:worker_threads';

/** @param {import('../../wasm/threads.ts').WorkerMessage} message */
const report = (message) => parentPort?.postMessage(message);

/** @param {import('./threads.ts').WorkerTask} task */
function work({ module, memory, control, program, teamThread, teamThreads, thread, threads, scratch }) {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const run = /** @type {(...args: number[]) => void} */ (instance.exports['run']);
  const words = new Int32Array(memory.buffer);
  const index = control / 4;
  let step = 0;
  for (;;) {
    Atomics.wait(words, index, step);
    const next = Atomics.load(words, index);
    if (next === -1) return;
    if (next === step) continue;
    step = next;
    run(program, teamThread, teamThreads, thread, threads, scratch);
    if (thread === 0) report({ kind: 'done' });
  }
}

parentPort?.on('message', (/** @type {import('./threads.ts').WorkerTask} */ task) => {
  try {
    work(task);
  } catch (error) {
    report({ kind: 'failed', reason: String(error) });
  }
});
