/** The table of deployment targets. A target without a row does not compile. */
import type { TargetRow } from './define.ts';
import { tflm } from './tflm.ts';

/** The words of `target` in a pipeline. */
export const targetNames = ['tflm'] as const;

export type TargetName = (typeof targetNames)[number];

export const targets: { readonly [N in TargetName]: TargetRow<N> } = { tflm };
