/** What the stages of a process share: its data sets and its engines. */
import { present } from '../core/assert.ts';
import type { DataPool, PoolOptions } from '../data/pool.ts';
import { openDataPool } from '../data/pool.ts';
import type { Engine, EngineName } from '../engine/engine.ts';
import { referenceEngine } from '../engine/reference.ts';
import { wasmEngine } from '../engine/wasm/index.ts';

export interface Resources {
  readonly data: DataPool;
  /** @throws UserError for an engine that is not installed */
  readonly engine: (name: EngineName) => Promise<Engine>;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
  /** No stage may run after it. */
  readonly close: () => void;
}

export interface ResourceOptions extends PoolOptions {
  /** The folder that qpipe keeps for all pipelines; installed engines are in it. */
  readonly home: string;
  readonly now: () => number;
}

export function openResources({ home, now, ...pool }: ResourceOptions): Resources {
  const data = openDataPool(pool);
  const engines = new Map<EngineName, Promise<Engine>>();
  return {
    data,
    engine(name) {
      if (!engines.has(name)) engines.set(name, table[name](home));
      return present(engines.get(name), 'the engine');
    },
    now,
    close: () => data.close(),
  };
}

const table: { readonly [E in EngineName]: (home: string) => Promise<Engine> } = {
  wasm: () => Promise.resolve(wasmEngine),
  reference: () => Promise.resolve(referenceEngine),
  // Its code is not even read unless it is asked for.
  tensorflow: async (home) => (await import('../engine/tensorflow/index.ts')).loadTensorflowEngine(home),
};
