/** Reads a pipeline file, and says what else a file or folder is that was given in its place. */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { UserError } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
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
    throw isSystemError(error) ? unreadable(file, error.code) : error;
  }
  const text = decode(bytes);
  if (text === null) throw binaryInstead(file, bytes);
  if (bytes.length > mostBytes) {
    throw refusal(file, `the file has ${Math.round(size / 1e5) / 10} MB; a pipeline is a short text`, giveYaml);
  }
  return text;
}

const giveYaml = 'give the YAML file that describes what to train, as `pipelines/quickstart.yaml` does';

function refusal(file: string, message: string, hint: string): UserError {
  return userError(file, 'unreadable-pipeline', message, hint, badPipelineExit);
}

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
  const strange = strangeByte(bytes);
  return bytes.includes(0)
    ? refusal(file, 'the file is no text; expected a pipeline in YAML', giveYaml)
    : refusal(file, `byte ${strange.offset} in line ${strange.line} is not UTF-8`, 'save the file as UTF-8');
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

function unreadable(file: string, code: string): UserError {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR': {
      const folder = dirname(file);
      const near = existsSync(folder) && statSync(folder).isDirectory() ? pipelinesIn(folder) : [];
      const meant = suggestion(basename(file), near);
      return refusal(
        file,
        'there is no such file',
        meant !== null
          ? `did you mean ${join(folder, meant)}?`
          : near.length === 0
            ? 'check the path'
            : listed(folder, near),
      );
    }
    case 'EACCES':
    case 'EPERM':
      return refusal(file, 'you may not read this file', 'change its permissions');
    case 'ELOOP':
      return refusal(file, 'the symbolic links lead in a circle', 'give the file that they should lead to');
    case 'ENAMETOOLONG':
      return refusal(file, 'the name is longer than a file name can be', 'check the path');
    default:
      return refusal(file, `the file cannot be read (${code})`, 'check the path');
  }
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
