// Makes .oracle/, a Python environment with the TensorFlow that test/oracle/ compares with. Returns at once when the
// environment is complete.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPython, pythonNames } from '../dist/cli/programs.js';

// NumPy 2 breaks the modules that TensorFlow 2.15 was compiled against.
const requirements = ['tensorflow-cpu==2.15.1', 'numpy<2'];
const folder = join(import.meta.dirname, '..', '.oracle');
// Written last, so a folder that an interrupted run left behind is not taken for a whole one.
const readyFile = join(folder, 'ready');
const ready = `${requirements.join(' ')}\n`;

if (existsSync(readyFile) && readFileSync(readyFile, 'utf8') === ready) process.exit(0);

const check = 'import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))';
const python = await findPython(check);
if (python === null) {
  fail(
    'no Python 3.9, 3.10 or 3.11 with the venv module was found (looked for ' +
      `${pythonNames.join(', ')} and the versions of pyenv); TensorFlow 2.15 runs on no other`,
  );
}
rmSync(folder, { recursive: true, force: true });
runOrFail('make the environment', python, ['-m', 'venv', folder]);
const inside = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
runOrFail(`install ${requirements.join(' and ')}`, inside, [
  '-m',
  'pip',
  'install',
  '--quiet',
  '--disable-pip-version-check',
  ...requirements,
]);
runOrFail('import TensorFlow', inside, ['-c', 'import tensorflow']);
writeFileSync(readyFile, ready);
console.log(`oracle: ${requirements[0]} is ready in .oracle/`);

function runOrFail(purpose, command, args) {
  const { status, stderr, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (status === 0) return;
  const lastLine = (error?.message ?? stderr).trim().split('\n').at(-1);
  fail(`could not ${purpose}: ${lastLine}`);
}

function fail(message) {
  console.error(`oracle: ${message}`);
  process.exit(1);
}
