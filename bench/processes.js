/** The processes that measure: which program, on which cores. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { findProgram } from '../dist/core/programs.js';
import { findPython } from '../dist/install/programs.js';
import { blockImages, repetitions, subjects } from './cases.js';

/** @typedef {import('./cases.js').Case} Case */
/** @typedef {import('./cases.js').Who} Who */
/** @typedef {{ readonly skipped: string }} Skipped why there is no result */
/** @typedef {{ readonly failed: string }} Failed */
/** @typedef {(import('./statistics.js').Sample & { readonly version: string }) | Skipped | Failed} Answer of a process */

const root = dirname(import.meta.dirname);

/**
 * What stands before a command so that its process keeps to the first cores that are free to us: TensorFlow asks how
 * many there are and heeds no other limit.
 *
 * @param {number} threads
 * @returns {readonly string[] | { readonly problem: string }}
 */
export function affinity(threads) {
  const cores = os.availableParallelism();
  if (threads > cores) return { problem: `there are ${cores} cores; --threads is ${threads}` };
  const taskset = findProgram('taskset');
  if (taskset !== null) return [taskset, '--cpu-list', freeCores().slice(0, threads).join()];
  if (threads === cores) return [];
  return { problem: `taskset is not on PATH, so processes cannot be kept to ${threads} of ${cores} cores` };
}

/** The cores that this process may use, from a list such as `0-3,8`. */
function freeCores() {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * The program that measures for one of the subjects.
 *
 * @param {Who} who
 * @returns {Promise<readonly string[] | Skipped>}
 */
export async function commandOf(who) {
  const subject = subjects[who];
  switch (subject.kind) {
    case 'engine':
      return [process.execPath, join(import.meta.dirname, 'step.js')];
    case 'peer': {
      const python = await pythonWith(subject.module);
      if (python !== null) return [python, join(import.meta.dirname, 'peers.py')];
      const setup = who === 'torch' ? 'npm run peers:setup -- --torch' : 'npm run peers:setup';
      return { skipped: `no Python has the module ${subject.module}; \`${setup}\` installs it` };
    }
    case 'missing':
      return { skipped: 'there is no such engine yet' };
  }
}

/**
 * A Python that has a module: the environments of this repository first, then what PATH has.
 *
 * @param {string} module
 * @returns {Promise<string | null>}
 */
async function pythonWith(module) {
  const check = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)`;
  for (const folder of ['.peers', '.oracle']) {
    const python = findProgram(join(root, folder, 'bin/python'));
    if (python !== null && spawnSync(python, ['-c', check]).status === 0) return python;
  }
  return findPython(check);
}

/**
 * Runs one process to its end.
 *
 * @param {Case} one
 * @param {readonly string[]} command
 * @param {string} models folder with the integer models
 * @returns {Answer}
 */
export function measure(one, command, models) {
  const work = { ...one, ...repetitions(one.network, one.level), blockImages };
  const [file = '', ...args] = [...command, JSON.stringify(work), models];
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (error !== undefined) return { failed: error.message };
  if (status !== 0) return { failed: errorLine(stderr) };
  return JSON.parse(lastLine(stdout)); // our own programs
}

/** @type {(text: string) => string} */
const lastLine = (text) => text.trim().split('\n').at(-1) ?? '';

/**
 * What went wrong, in Python's words or in Node's, whose last line is its version.
 *
 * @type {(text: string) => string}
 */
const errorLine = (text) => text.split('\n').findLast((line) => /^\w*Error\b/.test(line)) ?? lastLine(text);
