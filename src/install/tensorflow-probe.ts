/**
 * A separate program, because an incompatible library may end the process. It loads the addon in the folder that
 * it is given, computes a little, and prints a `ProbeAnswer` as its last line.
 */
import { UserError } from '../core/diagnostic.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { loadAddon } from '../engine/tensorflow/addon.ts';

export type ProbeAnswer =
  | {
      readonly version: string;
      readonly kernels: string | null;
      readonly product: readonly number[];
      /** By our own kernels, where they are. */
      readonly rounded: readonly number[] | null;
    }
  | { readonly diagnostics: readonly Diagnostic[] };

function answer(folder: string): ProbeAnswer {
  try {
    const { tf, version, kernels } = loadAddon(folder);
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
    const integer = (name: string, value: number) => attribute(name, binding['TF_ATTR_INT'], value);
    const scalar = (value: number) => tf.tensor(Float32Array.of(value), []);
    const rounded = (): number[] => [
      ...tf
        .backend()
        .executeSingleOutput(
          'QpipeFakeQuant',
          [integer('bits', 8), integer('narrow', 0), integer('channels', 0), integer('inner', 1)],
          [tf.tensor(Float32Array.of(-3, 0.5, 0.503, 2), [4]), scalar(-1), scalar(127 / 128), scalar(1)],
        )
        .dataSync(),
    ];
    return { version, kernels, product: [...product.dataSync()], rounded: kernels === null ? null : rounded() };
  } catch (error) {
    if (error instanceof UserError) return { diagnostics: error.diagnostics };
    throw error;
  }
}

console.log(JSON.stringify(answer(process.argv[2] ?? '')));
