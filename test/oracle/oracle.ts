/** What tests compare with in Python. Made by `npm run oracle:setup`. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { internal } from '../../src/core/assert.ts';
import type { DType, Tensor } from '../../src/core/tensor.ts';
import { bytesOf, dataFromBytes, elementBytes, tensor } from '../../src/core/tensor.ts';

/** Each has packages that cannot be in one environment with those of the other. */
const oracles = {
  tensorflow: { folder: '.oracle', program: 'oracle.py' },
  runtimes: { folder: '.oracle-runtimes', program: 'runtimes.py' },
} as const;

type OracleName = keyof typeof oracles;

const environment = (name: OracleName): string => join(import.meta.dirname, '..', '..', oracles[name].folder);

const isThere = (name: OracleName): boolean => existsSync(join(environment(name), 'ready'));

/** TensorFlow 2.15 with its converter. */
export const hasOracle = isThere('tensorflow');
/** TensorFlow Lite Micro, LiteRT, Vela, ONNX Runtime and Keras 3. */
export const hasRuntimes = isThere('runtimes');

/** What a Python expression reads and gives. */
export type OracleValue =
  | null
  | boolean
  | number
  | string
  | Tensor
  | Uint8Array
  | readonly OracleValue[]
  | { readonly [key: string]: OracleValue };

export interface Oracle {
  /**
   * The value of a Python expression over what the oracle's program knows and the given names.
   *
   * @throws Error with Python's message
   */
  evaluate(expression: string, values?: { readonly [name: string]: OracleValue }): Promise<OracleValue>;
  /** Leaves the process to the next test file of this worker. */
  close(): void;
}

type Answer = { readonly result: unknown } | { readonly error: string; readonly trace: string };

/** Processes that no test file has: to start one takes seconds. Each ends with this process. */
const idle: Readonly<Record<OracleName, Oracle[]>> = { tensorflow: [], runtimes: [] };

export const openOracle = (name: OracleName = 'tensorflow'): Oracle => idle[name].pop() ?? startOracle(name);

function startOracle(name: OracleName): Oracle {
  const python = join(environment(name), process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const program = join(import.meta.dirname, oracles[name].program);
  const child = spawn(python, ['-uB', program], { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  let lastWords = '';
  child.stderr.on('data', (data: Buffer) => (lastWords = (lastWords + data.toString()).slice(-2000)));
  // A failed write is the process's end, which `close` reports.
  child.stdin.on('error', () => undefined);
  child.on('error', fail);
  child.on('close', (code) => fail(new Error(`the oracle ended with status ${String(code)}: ${lastWords}`)));
  let failure: Error | null = null;
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.resolve(JSON.parse(line) as Answer); // the other side is oracle.py
  });

  function fail(error: Error): void {
    failure = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  }

  // Waiting tests keep this process alive, an idle oracle does not.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref();

  const oracle: Oracle = {
    async evaluate(expression, values = {}) {
      if (failure !== null) throw failure;
      const request = JSON.stringify({ expression, values: encode(values) });
      const answer = await new Promise<Answer>((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${request}\n`);
      });
      if ('error' in answer) throw new Error(`${answer.error}\n${answer.trace}`);
      return decode(answer.result);
    },
    close() {
      const give = (): void => void idle[name].push(oracle);
      void oracle.evaluate('answering.fresh()').then(give, () => child.kill());
    },
  };
  return oracle;
}

export function expectTensor(value: OracleValue | undefined): Tensor {
  return isTensor(value) ? value : internal('the oracle gave something else than a tensor');
}

export function expectList(value: OracleValue | undefined): readonly OracleValue[] {
  return isList(value) ? value : internal('the oracle gave something else than a list');
}

export function expectRecord(value: OracleValue | undefined): { readonly [key: string]: OracleValue } {
  const isOther = typeof value !== 'object' || value === null || isList(value) || isTensor(value);
  return isOther || value instanceof Uint8Array ? internal('the oracle gave something else than a map') : value;
}

export function expectBytes(value: OracleValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : internal('the oracle gave something else than bytes');
}

// Array.isArray does not narrow a readonly array.
const isList = (value: OracleValue | undefined): value is readonly OracleValue[] => Array.isArray(value);

function isTensor(value: OracleValue | undefined): value is Tensor {
  return typeof value === 'object' && value !== null && 'dtype' in value;
}

function encode(value: OracleValue): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (isList(value)) return value.map(encode);
  if (isTensor(value)) return { ...value, data: Buffer.from(bytesOf(value.data)).toString('base64') };
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
}

function decode(value: unknown): OracleValue {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== 'object' || value === null) return value as OracleValue; // JSON has nothing else left
  if ('bytes' in value) return Uint8Array.from(Buffer.from(String(value.bytes), 'base64'));
  if ('dtype' in value && 'shape' in value && 'data' in value) {
    const { dtype, shape, data } = value as { dtype: string; shape: readonly number[]; data: string };
    if (!isDType(dtype)) return internal(`the oracle gave a tensor of ${dtype}`);
    return tensor(dtype, shape, dataFromBytes(dtype, Buffer.from(data, 'base64')));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
}

function isDType(name: string): name is DType {
  return Object.hasOwn(elementBytes, name);
}
