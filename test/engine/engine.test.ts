import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../src/core/package-file.ts';
import { floatTensor, zeros } from '../../src/core/tensor.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { ALL, BARRIER, END } from '../../src/engine/wasm/opcodes.ts';
import { startThreads } from '../../src/engine/wasm/threads.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { variablesOf } from '../../src/graph/graph.ts';
import { tensorflowEngines } from './engines.ts';
import { trainingFeeds, trainingGraph } from './network.ts';

const BATCH = 12;

/** Trains for some steps; gives the outputs of every step and all variables at the end. */
async function train(engine: Engine, replicas: number, threads: number, numSteps: number) {
  const graph = trainingGraph(BATCH / replicas);
  const session = await engine.open(graph, { replicas, threads });
  try {
    const steps: ReadonlyMap<string, Float32Array>[] = [];
    for (let step = 0; step < numSteps; step++) steps.push(await session.run(trainingFeeds(BATCH, step)));
    const variables = new Map(variablesOf(graph).map(({ name }) => [name, session.read(name)]));
    return { steps, variables };
  } finally {
    await session.close();
  }
}

function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  for (const [index, value] of expected.entries()) {
    if (!(Math.abs(actual[index]! - value) <= tolerance * scale)) {
      expect.fail(`${what} at ${index}: ${actual[index]} instead of ${value}`);
    }
  }
}

/** x is split, offset is given to all: y = x + offset for each replica, its mean, least and largest over the replicas are shared. */
function replicaGraph(): Graph {
  const builder = buildGraph('replicas', 'float');
  const x = builder.input('x', { dtype: 'float32', shape: [2] });
  const offset = builder.input('offset', { dtype: 'float32', shape: [] });
  const largest = builder.variable('largest', zeros('float32', [2]), 'slot');
  const [y] = builder.node('add', 'y', [x, offset], { activation: 'none' });
  const [mean] = builder.node('cross_replica', 'mean', [y!], { reduce: 'mean' });
  const [least] = builder.node('cross_replica', 'least', [y!], { reduce: 'min' });
  const [most] = builder.node('cross_replica', 'most', [y!], { reduce: 'max' });
  builder.update(largest.name, most!);
  return builder.finish([y!, mean!, least!, largest]);
}

/** Two variables that take each other's value, and one that counts. */
function swapGraph(): Graph {
  const builder = buildGraph('swap', 'float');
  const left = builder.variable('left', floatTensor([3], [1, 2, 3]), 'slot');
  const right = builder.variable('right', floatTensor([3], [4, 5, 6]), 'slot');
  const counter = builder.variable('counter', zeros('float32', []), 'slot');
  const [next] = builder.node('increment', 'next', [counter], {});
  builder.update('left', right);
  builder.update('right', left);
  builder.update('counter', next!);
  return builder.finish([left, next!]);
}

const engines: readonly (readonly [string, Engine])[] = [
  ['reference', referenceEngine],
  ['wasm', wasmEngine],
  ...tensorflowEngines.flatMap(([name, engine]) => (engine === null ? [] : [[name, engine] as const])),
];

describe.each(engines)('the %s engine', (_name, engine) => {
  it('splits what is fed R times over and shares what is fed once', async () => {
    const session = await engine.open(replicaGraph(), { replicas: 2, threads: 2 });
    const feeds = new Map([
      ['x', Float32Array.of(1, 2, 30, -4)],
      ['offset', Float32Array.of(10)],
    ]);
    const outputs = await session.run(feeds);
    expect(Object.fromEntries([...outputs].map(([name, data]) => [name, [...data]]))).toEqual({
      y: [11, 12, 40, 6],
      mean: [25.5, 9],
      least: [11, 6],
      largest: [0, 0], // the value of this step, before the update
    });
    expect([...session.read('largest')]).toEqual([40, 12]);
    await session.close();
  });

  it('gives variables their new values all at once', async () => {
    const session = await engine.open(swapGraph(), { replicas: 1, threads: 1 });
    expect([...(await session.run(new Map())).get('left')!]).toEqual([1, 2, 3]);
    expect([...(await session.run(new Map())).get('left')!]).toEqual([4, 5, 6]);
    expect([...session.read('right')]).toEqual([4, 5, 6]);
    expect([...session.read('counter')]).toEqual([2]);
    await session.close();
  });

  it('reads and writes variables before the first run and between runs', async () => {
    const session = await engine.open(swapGraph(), { replicas: 1, threads: 1 });
    expect([...session.read('left')]).toEqual([1, 2, 3]);
    session.write('left', Float32Array.of(7, 8, 9));
    expect([...session.read('left')]).toEqual([7, 8, 9]);
    await session.run(new Map());
    expect([...session.read('right')]).toEqual([7, 8, 9]);
    session.write('counter', Float32Array.of(40));
    expect([...(await session.run(new Map())).get('next')!]).toEqual([41]);
    await session.close();
  });

  it('takes two runs at once and keeps their order', async () => {
    const session = await engine.open(replicaGraph(), { replicas: 1, threads: 1 });
    const feeds = (value: number) =>
      new Map([
        ['x', Float32Array.of(value, value)],
        ['offset', Float32Array.of(0)],
      ]);
    const second = feeds(2);
    const both = [session.run(feeds(1)), session.run(second)];
    second.get('x')!.fill(99); // the caller may reuse its buffers at once
    const [one, two] = await Promise.all(both);
    expect([...one!.get('y')!]).toEqual([1, 1]);
    expect([...two!.get('y')!]).toEqual([2, 2]);
    expect([...two!.get('largest')!]).toEqual([1, 1]);
    await session.close();
  });

  it('refuses a feed of another size', async () => {
    const session = await engine.open(replicaGraph(), { replicas: 2, threads: 1 });
    const feeds = new Map([
      ['x', Float32Array.of(1, 2, 3)],
      ['offset', Float32Array.of(0)],
    ]);
    await expect(session.run(feeds)).rejects.toThrow('internal: the feed of "x" has 3 elements; expected 2 or 4');
    await session.close();
  });
});

describe.each(engines.slice(1))('the %s engine trains as the reference does', (_name, engine) => {
  it.each([1, 2])('with %i replicas', async (replicas) => {
    const [actual, expected] = await Promise.all([
      train(engine, replicas, 2, 3),
      train(referenceEngine, replicas, 1, 3),
    ]);
    // Sums of a few hundred float32 products differ in order; three steps carry that on. No activation of these
    // steps is so close to a rounding edge that its code changes.
    for (const [step, outputs] of expected.steps.entries()) {
      for (const [name, data] of outputs) expectClose(actual.steps[step]!.get(name)!, data, 1e-4, `${name} ${step}`);
    }
    for (const [name, data] of expected.variables) expectClose(actual.variables.get(name)!, data, 1e-4, name);
  });
});

describe('the WASM engine gives the same bytes on any number of threads', () => {
  it.each([
    [1, [2, 3, 5]],
    [2, [2, 4, 7]],
  ] as const)('with %i replicas', async (replicas, threadCounts) => {
    const expected = await train(wasmEngine, replicas, 1, 3);
    for (const threads of threadCounts) {
      expect(await train(wasmEngine, replicas, threads, 3), `${threads} threads`).toEqual(expected);
    }
  });
});

describe('a session of the WASM engine', () => {
  it('refuses runs after close, and rejects the one under way', async () => {
    const session = await wasmEngine.open(trainingGraph(BATCH), { replicas: 1, threads: 2 });
    const under = session.run(trainingFeeds(BATCH, 0));
    const closing = session.close();
    await expect(under).rejects.toThrow('internal: the session is closed');
    await closing;
    await expect(session.run(trainingFeeds(BATCH, 1))).rejects.toThrow('internal: the session is closed');
  });

  it('does not keep the process alive', async () => {
    const script = `
      import { wasmEngine } from './dist/engine/wasm/index.js';
      import { buildGraph } from './dist/graph/builder.js';
      const builder = buildGraph('one', 'float');
      const one = builder.constant('one', { dtype: 'float32', shape: [], data: Float32Array.of(1) });
      const [two] = builder.node('increment', 'two', [one], {});
      const session = await wasmEngine.open(builder.finish([two]), { replicas: 1, threads: 2 });
      console.log((await session.run(new Map())).get('two')[0]);`;
    // No session.close(): the process must end by itself.
    const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', script], {
      cwd: fileURLToPath(packageFile('.')),
      timeout: 20_000,
    });
    expect(stdout).toBe('2');
  });
});

describe('a compute thread that fails', () => {
  it('rejects the run and all later ones', async () => {
    const file = packageFile('dist/engine/wasm/kernels.wasm');
    const module = await WebAssembly.compile(await readFile(file));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    // Thread 0 meets an instruction that does not exist; thread 1 waits for it at a barrier.
    new Int32Array(memory.buffer, 1024).set([999, ALL, 0]);
    new Int32Array(memory.buffer, 2048).set([BARRIER, ALL, 1, 128, END, ALL, 0]);
    const common = { ...{ module, memory, control: 64, teamThread: 0, teamThreads: 1, threads: 2, scratch: 4096 } };
    const pool = startThreads([
      { ...common, thread: 0, program: 1024 },
      { ...common, thread: 1, program: 2048 },
    ]);
    await expect(pool.run()).rejects.toThrow(/^internal: a compute thread ended: RuntimeError: unreachable/);
    await expect(pool.run()).rejects.toThrow(/^internal: a compute thread ended/);
    await pool.close();
  });
});
