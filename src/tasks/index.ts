import type { Task } from '../measurements/metrics.ts';
import { classify } from './classify.ts';
import type { TaskRow } from './define.ts';
import { reconstruct } from './reconstruct.ts';
import { regress } from './regress.ts';

/** The table of tasks. */
export const tasks: { readonly [T in Task]: TaskRow<T> } = { classify, regress, reconstruct };
