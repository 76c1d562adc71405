/** The built command line in a folder of its own, and the small inputs that its tests share. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll } from 'vitest';
import { sourceDigest, sourceDigestFile } from '../../scripts/source-digest.js';

const root = join(import.meta.dirname, '../..');
export const program = join(root, 'bin/qpipe.js');

const built = join(root, sourceDigestFile);
if (!existsSync(built) || readFileSync(built, 'utf8') !== sourceDigest(root)) {
  throw new Error('dist/ was not built from these sources: run `npm run build`');
}

export const quickstart = join(root, 'pipelines/quickstart.yaml');

const data = process.env['QPIPE_DATA'] ?? join(root, '../shared/data');
export const helloWorld = join(data, '../models/hello_world_int8.tflite');
export const hasHelloWorld = existsSync(helloWorld);

/** Every stage in a second: 192 images to train on, 64 to test on. */
export const tinyText = `version: 1
name: tiny
data: { source: synthetic, size: 12, classes: 4, train: 256, test: 64, validation: 64 }
model:
  layers:
    - { kind: conv_2d, filters: 4, kernel: 3, activation: relu }
    - { kind: max_pool_2d, window: 2 }
    - { kind: flatten }
    - { kind: fully_connected, units: 4 }
stages:
  pretrain: { uses: float-pretrain, epochs: 2, batch: 32, optimizer: { kind: sgd, learning_rate: 0.05 } }
  qat:      { uses: qat, from: pretrain, epochs: 1, batch: 32, delay: 2, devices: [cpu:0, cpu:1] }
  eval:     { uses: save-eval-graph, from: qat }
  freeze:   { uses: freeze, from: eval }
  convert:  { uses: convert, from: freeze }
  test:     { uses: test, from: convert, gates: { int8_top1_min: 0.1 } }
`;

export const stageNames = ['pretrain', 'qat', 'eval', 'freeze', 'convert', 'test'] as const;

/** The tiny pipeline with texts replaced; each must be there. */
export function tinyWith(edits: readonly (readonly [string, string])[]): string {
  return edits.reduce((text, [before, after]) => {
    if (!text.includes(before)) throw new Error(`the pipeline does not contain ${before}`);
    return text.replaceAll(before, after);
  }, tinyText);
}

export interface Outcome {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Workspace {
  readonly folder: string;
  /** Starts the program there, without a terminal. */
  readonly start: (...args: string[]) => ReturnType<typeof launch>;
  readonly qpipe: (...args: string[]) => Promise<Outcome>;
  readonly file: (...names: string[]) => string;
  readonly write: (name: string, content: string | Uint8Array) => string;
  readonly text: (...names: string[]) => string;
  readonly json: (...names: string[]) => unknown;
}

function launch(folder: string, args: readonly string[]) {
  return execa(process.execPath, [program, ...args], { cwd: folder, reject: false });
}

/** A folder that is removed after the tests of the file, with tiny.yaml in it. */
export function makeWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (...names: string[]): string => join(folder, ...names);
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(file(name), content);
    return file(name);
  };
  write('tiny.yaml', tinyText);
  return {
    folder,
    file,
    write,
    start: (...args) => launch(folder, args),
    async qpipe(...args) {
      const { exitCode, stdout, stderr } = await launch(folder, args);
      return { code: exitCode, stdout, stderr };
    },
    text: (...names) => readFileSync(file(...names), 'utf8'),
    json: (...names) => JSON.parse(readFileSync(file(...names), 'utf8')) as unknown,
  };
}

/** A file as numpy.save writes it, from the bytes of its elements. */
export function npyFile(descriptor: string, shape: readonly number[], elements: ArrayBufferView): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const prefix = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
  const body = Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
  return Buffer.concat([prefix, Buffer.from(padded, 'latin1'), body]);
}

/** What is in such a file. */
export function npyContent(file: string): { readonly header: string; readonly body: Buffer } {
  const bytes = readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  return { header: bytes.toString('latin1', 10, start), body: bytes.subarray(start) };
}

/** An idx file: two zero bytes, type 8 (uint8), the number of sizes, the sizes, the elements. */
export function idxFile(sizes: readonly number[], elements: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt8(8, 2);
  header.writeUInt8(sizes.length, 3);
  for (const [index, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * index);
  return Buffer.concat([header, elements]);
}
