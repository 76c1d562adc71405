/** Reads a pipeline file, and says what else a file or folder is that was given in its place. */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { systemReason } from '../formats/bytes.ts';
import type { FormatKind } from '../formats/detect.ts';
import { detectFormat } from '../formats/detect.ts';
import { suggestion } from './suggest.ts';

export const badPipelineExit = 64;

/** Pipelines have some kilobytes; what has more is of another kind, and may be larger than memory. */
const mostBytes = 2 ** 20;

/** @throws UserError for what is no UTF-8 text of at most 1 MiB */
export function readPipelineText(file: string): string {
  let bytes: Buffer;
  let size: number;
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) throw folderInstead(file);
    size = stats.size;
    bytes = readStart(file, mostBytes + 1);
  } catch (error) {
    throw isSystemError(error) ? unreadable(file, error) : error;
  }
  const text = decode(bytes);
  if (text === null || isModel(bytes)) throw binaryInstead(file, bytes);
  if (bytes.length > mostBytes) {
    throw refusal(file, `the file has ${Math.round(size / 1e5) / 10} MB; a pipeline is a short text`, giveYaml);
  }
  return text;
}

const giveYaml = 'give the YAML file that describes what to train, as `pipelines/quickstart.yaml` does';

/** What can be done with a file that is no pipeline. */
const verbs: Readonly<Partial<Record<FormatKind, string>>> = {
  tflite: 'look into a model with `qpipe inspect`, or run it with `qpipe predict`',
  graph_def: 'look into a model with `qpipe inspect`',
  saved_model: 'look into a model with `qpipe inspect`',
  safetensors: 'look into a checkpoint with `qpipe inspect`',
};

function refusal(file: string, message: string, hint: string): UserError {
  return userError(file, 'unreadable-pipeline', message, hint, badPipelineExit);
}

/** A small model can be text by chance. */
const isModel = (bytes: Uint8Array): boolean => verbs[detectFormat(bytes).kind] !== undefined;

function readStart(file: string, most: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    for (let got = -1; got !== 0 && length < most; length += got) {
      got = readSync(descriptor, buffer, length, most - length, null);
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** Without a byte order mark; null for what is no UTF-8, or has bytes that no text has. */
function decode(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function binaryInstead(file: string, bytes: Uint8Array): UserError {
  const [first = 0, second = 0] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isUtf16) return refusal(file, 'the file is text in UTF-16; expected UTF-8', 'save it as UTF-8');
  const { kind, name } = detectFormat(bytes);
  if (kind !== 'unknown' || bytes.includes(0)) {
    return refusal(file, `the file is ${name}; expected a pipeline in YAML`, verbs[kind] ?? giveYaml);
  }
  const { offset, line } = strangeByte(bytes);
  return refusal(file, `byte ${offset} in line ${line} is not UTF-8`, 'save the file as UTF-8');
}

/** The first byte that is not UTF-8, by halving: what comes before it decodes. */
function strangeByte(bytes: Uint8Array): { readonly offset: number; readonly line: number } {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    // A character that is cut by the end is no mistake in a stream.
    const decodes = ((): boolean => {
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
        return true;
      } catch {
        return false;
      }
    })();
    if (decodes) good = middle;
    else bad = middle;
  }
  return { offset: good, line: bytes.subarray(0, good).filter((byte) => byte === 10).length + 1 };
}

function unreadable(file: string, error: Error & { readonly code: string }): UserError {
  if (error.code !== 'ENOENT') return refusal(file, systemReason(error), 'check the path and its permissions');
  const folder = dirname(file);
  const near = pipelinesIn(folder);
  const meant = suggestion(basename(file), near);
  const hint = near.length === 0 ? 'check the path' : listed(folder, near);
  return refusal(file, 'there is no such file', meant === null ? hint : `did you mean ${join(folder, meant)}?`);
}

function folderInstead(folder: string): UserError {
  if (existsSync(join(folder, 'run.json'))) {
    const hint = `run ${join(folder, 'pipeline.yaml')}, which is its pipeline, or look at it with \`qpipe report ${folder}\``;
    return refusal(folder, 'this is the folder of a run; expected a pipeline file', hint);
  }
  const pipelines = pipelinesIn(folder);
  const hint = pipelines.length === 0 ? giveYaml : listed(folder, pipelines);
  return refusal(folder, 'this is a folder; expected a pipeline file', hint);
}

const listed = (folder: string, names: readonly string[]): string =>
  `for example ${names
    .slice(0, 3)
    .map((name) => join(folder, name))
    .join(', ')}`;

function pipelinesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
  } catch {
    return [];
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error;
}
