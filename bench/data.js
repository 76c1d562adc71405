/**
 * `npm run bench:data`: sets that are large. Each number is from a process of its own, on files that this writes.
 *
 *     node bench/data.js files [count] [kind]   many small files: seconds to the first step, the first and the second time
 *     node bench/data.js memory [megabytes] [kind]
 *                                               a set four times as large as `memory:`: the most memory beside a small set
 *     node bench/data.js wait [threads] [pipeline …]
 *                                               what steps take longer than on one batch that is given again and again
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { crc32, deflateSync } from 'node:zlib';
import { measureWaits } from './data-wait.js';

const root = join(import.meta.dirname, '..');
const qpipe = join(root, 'bin/qpipe.js');

/** @type {(type: string, data: Uint8Array) => Buffer} */
function pngChunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A grey image in two values. @type {(side: number, index: number) => Buffer} */
function png(side, index) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.writeUInt8(8, 8);
  const rows = Buffer.alloc(side * (side + 1));
  for (let at = 0; at < rows.length; at++) rows[at] = at % (side + 1) === 0 ? 0 : (index * 2654435761 + at * at) >>> 24;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(rows, { level: 1 });
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', data),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

/** At 8 kHz. @type {(length: number, index: number) => Buffer} */
function wav(length, index) {
  const samples = Int16Array.from({ length }, (_, at) => 8000 * Math.sin((at * (index % 97)) / 50));
  const header = Buffer.from(
    'RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data',
    'latin1',
  );
  const bytes = Buffer.concat([header, Buffer.alloc(4), Buffer.from(samples.buffer)]);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.writeUInt32LE(samples.byteLength, 40);
  bytes.writeInt16LE(index % 32_000, 44);
  bytes.writeInt16LE(Math.floor(index / 32_000), 46);
  return bytes;
}

/** Two columns. @type {(length: number, index: number) => string} */
function csv(length, index) {
  const rows = Array.from({ length }, (_, row) => `${index},${Math.sin(row * (1 + (index % 7))).toFixed(4)}`);
  return `x,y\n${rows.join('\n')}\n`;
}

/**
 * Files of each kind, tiny ones and ones of some kilobytes. `large` says how many bytes an example takes once it is
 * decoded.
 *
 * @typedef {{ write: (index: number) => Buffer | string, data: string }} Files
 * @type {Readonly<Record<string, { extension: string, tiny: Files, large: Files & { bytes: number } }>>}
 */
const kinds = {
  png: {
    extension: 'png',
    tiny: { write: (index) => png(16, index), data: 'image_folder, image: { size: 16, color: grey }' },
    large: {
      ...{ write: (index) => png(256, index), data: 'image_folder, image: { size: 256, color: grey }' },
      bytes: 256 * 256,
    },
  },
  wav: {
    extension: 'wav',
    tiny: {
      write: (index) => wav(2000, index),
      data: 'audio_folder, audio: { rate: 8000, seconds: 0.25 }, features: { kind: log_mel, num_mel_bins: 20 }',
    },
    large: {
      write: (index) => wav(8000, index),
      // 97 windows of 256 samples.
      data: 'audio_folder, audio: { rate: 8000, seconds: 1 }, features: { kind: log_mel, num_mel_bins: 40, frame_length: 256, frame_step: 80 }',
      bytes: 4 * 40 * 97,
    },
  },
  csv: {
    extension: 'csv',
    tiny: { write: (index) => csv(20, index), data: 'csv' },
    large: { write: (index) => csv(1000, index), data: 'csv', bytes: 4 * 2 * 1000 },
  },
};

/** @type {(data: string, batch?: number) => string} */
const pipelineText = (data, batch = 64) => `version: 1
name: large
data: { source: ${data} }
model: { layers: [{ kind: flatten }, { kind: fully_connected, units: 16, activation: relu }, { kind: fully_connected, units: 2 }] }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: ${batch}, optimizer: { kind: sgd, learning_rate: 0.001 } }
  qat: { uses: qat, from: pretrain, epochs: 1, batch: ${batch}, delay: 0, optimizer: { kind: sgd, learning_rate: 0.001 } }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert, litert: off }
`;

/**
 * Runs a pipeline, up to its first step or to its end.
 *
 * @type {(folder: string, pipeline: string, isWhole: boolean) => Promise<{ seconds: number, megabytes: number }>}
 */
async function run(folder, pipeline, isWhole) {
  const started = performance.now();
  const stored = ['--runs', join(folder, 'runs'), '--store', join(folder, 'store')];
  const child = spawn(process.execPath, [qpipe, 'run', pipeline, '--json', ...stored], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let [seconds, megabytes] = [NaN, 0];
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const look = () => {
    const [, kilobytes = '0'] = /VmHWM:\s+(\d+)/.exec(readStatus(child.pid ?? 0)) ?? [];
    megabytes = Math.max(megabytes, Number(kilobytes) / 1000);
  };
  const timer = setInterval(look, 50);
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"stage-progress"') || !Number.isNaN(seconds)) continue;
    seconds = (performance.now() - started) / 1000;
    look();
    if (!isWhole) child.kill('SIGINT');
  }
  const status = await ended;
  clearInterval(timer);
  if (isWhole && status !== 0) fail(`the run ended with status ${status}`);
  return { seconds, megabytes };
}

/** @type {(process: number) => string} */
function readStatus(process) {
  try {
    return readFileSync(`/proc/${process}/status`, 'utf8');
  } catch {
    return '';
  }
}

/** @type {(files: Files, extension: string, count: number, set: string) => void} */
function writeFiles({ write }, extension, count, set) {
  for (const name of ['a', 'b']) mkdirSync(join(set, name), { recursive: true });
  for (let index = 0; index < count; index++)
    writeFileSync(join(set, index % 2 === 0 ? 'a' : 'b', `${index}.${extension}`), write(index));
}

/** @type {(count: number, kind: string, folder: string) => Promise<void>} */
async function measureFiles(count, kind, folder) {
  const { extension, tiny } = kinds[kind] ?? fail(`no kind ${kind}`);
  writeFiles(tiny, extension, count, join(folder, 'set'));
  // Digests of files that have just been written are not kept.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const pipeline = join(folder, 'large.yaml');
  writeFileSync(pipeline, pipelineText(`${tiny.data}, path: set, split: { test: 0.1, validation: 0.1 }`));
  for (const time of ['first', 'second']) {
    const { seconds, megabytes } = await run(folder, pipeline, false);
    const found = `${seconds.toFixed(1).padStart(6)} s to the first step, at most ${megabytes.toFixed(0)} MB`;
    console.log(`${count} ${kind} files, the ${time} time: ${found}`);
  }
}

/** @type {(memory: number, kind: string, folder: string) => Promise<void>} */
async function measureMemory(memory, kind, folder) {
  const most = { small: 0, large: 0 };
  for (const [name, megabytes] of /** @type {const} */ ([
    ['small', memory / 4],
    ['large', 4 * memory],
  ])) {
    const source = writeExamples(kind, 1e6 * megabytes, join(folder, name));
    const pipeline = join(folder, `${name}.yaml`);
    const data = `${source}, path: ${name}, split: { test: 0.1, validation: 0.1 }`;
    writeFileSync(pipeline, `${pipelineText(data, 16)}memory: ${memory} MB\n`);
    const { megabytes: found } = await run(folder, pipeline, true);
    most[name] = found;
    console.log(`${megabytes} MB of examples (${kind}), memory: ${memory} MB: at most ${found.toFixed(0)} MB`);
  }
  const own = most.large - most.small;
  console.log(`${own.toFixed(0)} MB more than the small set; ${own < memory ? 'below' : 'ABOVE'} memory`);
}

/** Examples of so many bytes once they are decoded; gives what to say of their source. @type {(kind: string, bytes: number, set: string) => string} */
function writeExamples(kind, bytes, set) {
  if (kind === 'npz') {
    writeArrays(Math.floor(bytes / 4096), set);
    return 'npz';
  }
  const { extension, large } = kinds[kind] ?? fail(`no kind ${kind}`);
  writeFiles(large, extension, Math.floor(bytes / large.bytes), set);
  return large.data;
}

/** @type {(count: number, set: string) => void} */
function writeArrays(count, set) {
  mkdirSync(set);
  writeNpy(join(set, 'x_train.npy'), [count, 64, 64], (row) => {
    const pixels = Buffer.alloc(4096, (row * 37) % 251);
    pixels.writeUInt32LE(row);
    return pixels;
  });
  writeNpy(join(set, 'y_train.npy'), [count], (row) => Buffer.of(row % 2));
}

/** @type {(file: string, shape: readonly number[], row: (index: number) => Buffer) => void} */
function writeNpy(file, shape, row) {
  const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = `${dictionary.padEnd(117)}\n`;
  writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'), Buffer.from(header)]));
  const [count = 0] = shape;
  for (let first = 0; first < count; first += 1000) {
    const rows = Array.from({ length: Math.min(1000, count - first) }, (_, index) => row(first + index));
    writeFileSync(file, Buffer.concat(rows), { flag: 'a' });
  }
}

/** @type {(message: string) => never} */
function fail(message) {
  throw new Error(message);
}

const [what = '', ...rest] = process.argv.slice(2);
console.log(`${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, Node ${process.version}`);
const folder = mkdtempSync(join(os.tmpdir(), 'qpipe-data-'));
try {
  if (what === 'files') await measureFiles(Number(rest[0] ?? 200_000), rest[1] ?? 'png', folder);
  else if (what === 'memory') await measureMemory(Number(rest[0] ?? 500), rest[1] ?? 'npz', folder);
  else if (what === 'wait') {
    const [threads = '', ...names] = /^\d+$/.test(rest[0] ?? '') ? rest : ['2', ...rest];
    await measureWaits(root, Number(threads), names);
  } else fail('expected files, memory or wait');
} finally {
  rmSync(folder, { recursive: true });
}
