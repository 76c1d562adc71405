/** HDF5 files by the HDF Group's library, compiled to WebAssembly (h5wasm). */
import { Worker } from 'node:worker_threads';
import { userError } from '../../core/diagnostic.ts';
import { packageFile } from '../../core/package-file.ts';
import { ConfigError } from './json.ts';
import type { Hdf5Answer, Hdf5Content, Hdf5Task } from './messages.ts';

/** A sound file takes less than a second for ten megabytes. */
const patience = { milliseconds: 5000, perByte: 1e-3 } as const;

/**
 * @param path named in errors
 * @throws ConfigError for what is no sound HDF5 file; UserError where the library is not installed
 */
export async function readHdf5(task: Hdf5Task, path: string): Promise<Hdf5Content> {
  const answer = await ask(task);
  switch (answer.kind) {
    case 'read':
      return answer.content;
    case 'refused':
      throw new ConfigError(answer.reason);
    case 'missing':
      throw userError(
        path,
        'missing-package',
        'HDF5 files are read by the package h5wasm, which is not installed',
        'npm install h5wasm',
      );
  }
}

async function ask(task: Hdf5Task): Promise<Hdf5Answer> {
  const worker = new Worker(packageFile('dist/importers/keras/worker.bundle.js'), { workerData: task, execArgv: [] });
  const limit = patience.milliseconds + patience.perByte * task.bytes.length;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Hdf5Answer>((resolve, reject) => {
      const refuse = (reason: string): void => resolve({ kind: 'refused', reason });
      timer = setTimeout(() => refuse('its "HDF5" cannot be read: the library does not come to an end with it'), limit);
      worker.once('message', resolve);
      worker.once('error', (error: Error) => {
        // A thread without its program is no fault of the file.
        if ('code' in error && String(error.code).endsWith('MODULE_NOT_FOUND'))
          reject(new Error(`internal: the thread that reads HDF5 does not start: ${error.message}`));
        else refuse(`its "HDF5" cannot be read: ${error.message}`);
      });
      worker.once('exit', () => refuse('its "HDF5" cannot be read: the library gave up'));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
