/**
 * A program of its own, because a library that does not fit may end the process: loads the addon in the folder that
 * it is given, multiplies, and prints a `ProbeAnswer` as its last line.
 */
import { UserError } from '../core/diagnostic.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { loadAddon } from '../engine/tensorflow/addon.ts';

export type ProbeAnswer =
  { readonly version: string; readonly product: readonly number[] } | { readonly diagnostics: readonly Diagnostic[] };

function answer(folder: string): ProbeAnswer {
  try {
    const { tf, version } = loadAddon(folder);
    const { binding } = tf.backend();
    const matrix = (...values: number[]) => tf.tensor(Float32Array.from(values), [2, 2]);
    const attribute = (name: string, type: number | string = 0, value: unknown = false) => ({ name, type, value });
    const product = tf
      .backend()
      .executeSingleOutput(
        'MatMul',
        [
          attribute('transpose_a', binding['TF_ATTR_BOOL']),
          attribute('transpose_b', binding['TF_ATTR_BOOL']),
          attribute('T', binding['TF_ATTR_TYPE'], binding['TF_FLOAT']),
        ],
        [matrix(1, 2, 3, 4), matrix(5, 6, 7, 8)],
      );
    return { version, product: [...product.dataSync()] };
  } catch (error) {
    if (error instanceof UserError) return { diagnostics: error.diagnostics };
    throw error;
  }
}

console.log(JSON.stringify(answer(process.argv[2] ?? '')));
