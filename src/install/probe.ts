/** Whether an addon works. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { UserError, userError } from '../core/diagnostic.ts';
import { packageFile } from '../core/package-file.ts';
import type { ProbeAnswer } from './tensorflow-probe.ts';

/** By hand: [[1, 2], [3, 4]] times [[5, 6], [7, 8]], and numbers rounded to multiples of 1/128 from -1 to 127/128. */
const expectedNumbers = { product: [19, 22, 43, 50], rounded: [-1, 0.5, 0.5, 0.9921875] };

/** What a working addon reports. */
export interface Probed {
  /** Of the npm package and the library. */
  readonly version: string;
  /** Of our own kernels; null where they were not built. */
  readonly kernels: string | null;
}

/**
 * Loads an addon in a process of its own and computes with it.
 *
 * @param folder of the npm package
 * @throws UserError `engine-broken`
 */
export async function probe(folder: string, signal?: AbortSignal): Promise<Probed> {
  const program = fileURLToPath(packageFile('dist/install/tensorflow-probe.js'));
  const result = await execa(process.execPath, [program, folder], {
    reject: false,
    stdin: 'ignore',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (result.exitCode !== 0) {
    const end = result.signal === undefined ? result.stderr.trim().split('\n').at(-1) : `it ended by ${result.signal}`;
    throw userError(folder, 'engine-broken', `the addon does not run: ${end ?? ''}`, 'try another TensorFlow library');
  }
  const answer = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as ProbeAnswer; // our own program
  if ('diagnostics' in answer) throw new UserError(answer.diagnostics);
  const { version, kernels, product, rounded } = answer;
  const wrong = (found: readonly number[], expected: readonly number[]): UserError =>
    userError(
      folder,
      'engine-broken',
      `the addon computed ${found.join(', ')}; expected ${expected.join(', ')}`,
      'try another TensorFlow library',
    );
  if (product.join() !== expectedNumbers.product.join()) throw wrong(product, expectedNumbers.product);
  if (rounded !== null && rounded.join() !== expectedNumbers.rounded.join()) {
    throw wrong(rounded, expectedNumbers.rounded);
  }
  return { version, kernels };
}
