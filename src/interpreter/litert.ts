/** Google's LiteRT runtime (XNNPACK compiled to WebAssembly): an independent check that shares no code with ours. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import type { CompiledModel, LiteRt } from '@litertjs/core';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { numElements } from '../core/tensor.ts';
import type { Shape } from '../core/tensor.ts';

type LitertCore = typeof import('@litertjs/core');

export type LitertArray = Float32Array | Int32Array | Uint8Array;

export interface LitertTensor {
  readonly shape: Shape;
  readonly data: LitertArray;
}

/** A loaded model. Its memory is outside the reach of the garbage collector: `close` frees it. */
export interface LitertModel {
  /** In the order of the model's inputs. */
  readonly inputShapes: readonly Shape[];
  /** @param inputs in the order of the model's inputs, each with as many elements as its shape has. */
  readonly run: (inputs: readonly LitertArray[]) => Promise<readonly LitertTensor[]>;
  readonly close: () => void;
}

/**
 * Loads a .tflite model whose inputs and outputs are float32, int32 or uint8, the only types of this interface.
 *
 * XNNPACK requantizes through float32, so an int8 value inside the model may differ by one step from the
 * reference kernels, and the difference may grow from layer to layer.
 *
 * @param path of the model, for diagnostics
 * @throws UserError when the runtime cannot be loaded or refuses the model; the caller may go on without it.
 */
export async function openLitert(model: Uint8Array, path: string): Promise<LitertModel> {
  const core = await attempt([], loading, () => import('@litertjs/core'));
  const runtime = await attempt([], loading, () => loadRuntime(core));
  const { log } = runtime.liteRtWasm as unknown as RuntimeModule; // the module object given in `loadRuntime`
  const compiled = await attempt(
    log,
    { ...compiling, place: path },
    () => runtime.loadAndCompile(model, { accelerator: 'wasm', cpuOptions: { numThreads: 1 } }),
    (refused) => refused.delete(),
  );
  const inputShapes = compiled.getInputDetails().map(({ shape }) => [...shape]);
  return {
    inputShapes,
    run: (inputs) => {
      requireInputs(inputs, inputShapes);
      return attempt(log, { ...running, place: path }, () => run(core, compiled, inputShapes, inputs));
    },
    close: () => compiled.delete(),
  };
}

/** What LiteRT was asked to do, and the remedy if it fails. */
interface Attempt {
  /** What a failure is about: the model, or LiteRT itself. */
  readonly place: string;
  readonly failure: string;
  readonly remedy: string;
}

const loading: Attempt = { place: 'LiteRT', failure: 'cannot be loaded', remedy: 'reinstall @litertjs/core' };
const compiling: Omit<Attempt, 'place'> = {
  failure: 'refuses the model',
  remedy: 'go on without this second opinion: the reference runtime runs int8 models that LiteRT refuses',
};
const running: Omit<Attempt, 'place'> = {
  failure: 'fails to run the model',
  remedy: 'its outputs are not used, since they may be memory that nobody wrote; run it on the reference runtime',
};

function requireInputs(inputs: readonly LitertArray[], shapes: readonly Shape[]): void {
  const found = inputs.map(({ length }) => length).join(', ');
  const expected = shapes.map(numElements).join(', ');
  if (found !== expected) internal(`LiteRT inputs have (${found}) elements, expected (${expected})`);
}

async function run(
  core: LitertCore,
  compiled: CompiledModel,
  inputShapes: readonly Shape[],
  inputs: readonly LitertArray[],
): Promise<readonly LitertTensor[]> {
  const tensors = inputs.map((data, index) => {
    // The package's type leaves out shared memory, but it only copies from it.
    const source = data as Float32Array<ArrayBuffer>;
    return core.Tensor.fromTypedArray(source, [...inputShapes[index]!]);
  });
  try {
    const outputs = await compiled.run(tensors);
    return outputs.map((output) => {
      const shape = [...output.type.layout.dimensions];
      // The interface knows no other element types.
      const data = output.toTypedArray() as LitertArray;
      output.delete();
      return { shape, data };
    });
  } finally {
    for (const tensor of tensors) tensor.delete();
  }
}

/** What we put into the module object of the runtime: the lines that it wrote since the last call. */
interface RuntimeModule {
  readonly log: string[];
}

/**
 * The one runtime of this process, which the package itself keeps.
 *
 * The package expects a browser. Its loader asks the global scope for `self`, `importScripts` and a WebGPU
 * adapter, so these exist only while it loads. The script that it wants to import is evaluated with its own
 * `self` and `console`, because it keeps using both and would print.
 *
 * Of the four builds this is the one without threads and without relaxed SIMD: the only one that Node 20
 * accepts, and the same floating-point results on every processor.
 */
function loadRuntime(core: LitertCore): Promise<LiteRt> {
  const loaded: Promise<LiteRt> | undefined = core.getGlobalLiteRtPromise();
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const script = require.resolve('@litertjs/core/wasm/litert_wasm_compat_internal.js');
  const module: RuntimeModule = { log: [] };
  const write = (...words: unknown[]): void => void module.log.push(words.join(' '));
  const self: Record<string, unknown> = { Module: module, navigator: { hardwareConcurrency: 1 } };
  const importScripts = (path: string): void => {
    const scope = {
      module: { exports: {} as unknown },
      exports: {},
      require,
      __filename: path,
      __dirname: dirname(path),
      self,
      console: { log: write, warn: write, error: write },
    };
    // compileFunction is typed as any function; this one takes what `scope` names.
    const evaluate = compileFunction(readFileSync(path, 'utf8'), Object.keys(scope), { filename: path }) as (
      ...values: unknown[]
    ) => void;
    evaluate(...Object.values(scope));
    self['ModuleFactory'] = scope.module.exports;
  };
  // An adapter that grants no device: the package warns on the console where there is none at all.
  const adapter = { limits: {}, features: new Set(), requestDevice: () => Promise.resolve(null) };
  const navigator = { gpu: { requestAdapter: () => Promise.resolve(adapter) } };
  return withGlobals({ self, importScripts, navigator }, () => core.loadLiteRt(script));
}

/** Defines global names until the promise is settled, and then restores what was there. */
async function withGlobals<T>(names: Readonly<Record<string, unknown>>, body: () => Promise<T>): Promise<T> {
  const before = Object.keys(names).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
  }
  try {
    return await body();
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }
}

/** An error in the log is a failure too: LiteRT logs that it could not prepare a model, and goes on. */
async function attempt<T>(
  log: string[],
  { place, failure, remedy }: Attempt,
  body: () => Promise<T>,
  discard: (result: T) => void = () => undefined,
): Promise<T> {
  log.length = 0;
  let thrown: unknown = null;
  try {
    const result = await body();
    if (errorsOf(log).length === 0) return result;
    discard(result);
  } catch (error) {
    thrown = error;
  }
  // The exception names source lines of the runtime; what it logged before says what is wrong.
  const logged = errorsOf(log);
  const reason = logged.length > 0 ? logged.slice(0, 3).join(' ') : String(thrown);
  throw userError(place, 'litert-failed', `LiteRT (@litertjs/core) ${failure}: ${reason}`, remedy);
}

function errorsOf(log: readonly string[]): string[] {
  return log.filter((line) => line.startsWith('ERROR: ')).map((line) => line.slice('ERROR: '.length));
}

/** The package itself with its runtime loaded, for code that is written for browsers. */
export async function loadLitert(): Promise<LitertCore> {
  const core = await import('@litertjs/core');
  await loadRuntime(core);
  return core;
}
