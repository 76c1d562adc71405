import type { Task } from '../measurements/metrics.ts';
import { binary } from './binary.ts';
import { classify } from './classify.ts';
import type { TaskRow } from './define.ts';
import { multiLabel } from './multi-label.ts';
import { reconstruct } from './reconstruct.ts';
import { regress } from './regress.ts';
import { segment } from './segment.ts';

/** The table of tasks. */
export const tasks: { readonly [T in Task]: TaskRow<T> } = {
  ...{ classify, binary, multi_label: multiLabel },
  ...{ regress, reconstruct, segment },
};
