// Python environments that tests and benchmarks compare with; they are no part of the package.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPython, pythonNames } from '../dist/install/programs.js';

// Of those that TensorFlow 2.15 runs on, the last, which the newest of the other packages need.
const check = 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))';

/** TensorFlow as all environments have it. NumPy 2 breaks the modules that TensorFlow 2.15 was compiled against. */
export const tensorflow = ['tensorflow-cpu==2.15.1', 'numpy<2'];

/**
 * Makes an environment beside package.json. Returns at once when it is complete; ends the process when it cannot be.
 *
 * @param {object} options
 * @param {string} options.name stands before every message
 * @param {string} options.folder below the repository's root
 * @param {readonly string[]} options.requirements in pip's notation
 * @param {readonly string[]} [options.alone] requirements whose own are not installed
 * @param {readonly string[]} options.modules that must import in the end
 */
export async function makeEnvironment({ name, folder: folderName, requirements, alone = [], modules }) {
  const folder = join(import.meta.dirname, '..', folderName);
  // Written last, so a folder that an interrupted run left behind is not taken for a whole one.
  const readyFile = join(folder, 'ready');
  const ready = `${[...requirements, ...alone].join(' ')}\n`;
  if (existsSync(readyFile) && readFileSync(readyFile, 'utf8') === ready) return;

  const python = await findPython(check);
  if (python === null) {
    fail(
      'no Python 3.11 with the venv module was found (looked for ' +
        `${pythonNames.join(', ')} and the versions of pyenv); it is the one that both TensorFlow 2.15 and the ` +
        'other packages run on',
    );
  }
  rmSync(folder, { recursive: true, force: true });
  runOrFail('make the environment', python, ['-m', 'venv', folder]);
  const inside = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  runOrFail(`install ${requirements.join(' and ')}`, inside, [...install, ...requirements]);
  if (alone.length > 0) runOrFail(`install ${alone.join(' and ')}`, inside, [...install, '--no-deps', ...alone]);
  for (const module of modules) runOrFail(`import ${module}`, inside, ['-c', `import ${module}`]);
  writeFileSync(readyFile, ready);
  console.log(`${name}: ${[...requirements, ...alone].join(', ')} are ready in ${folderName}/`);

  function runOrFail(purpose, command, args) {
    const options = { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' };
    const { status, stderr, error } = spawnSync(command, args, options);
    if (status === 0) return;
    const lastLine = (error?.message ?? stderr).trim().split('\n').at(-1);
    fail(`could not ${purpose}: ${lastLine}`);
  }

  function fail(message) {
    console.error(`${name}: ${message}`);
    process.exit(1);
  }
}
