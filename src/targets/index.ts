/** The table of deployment targets. A target without a row does not compile. */
import type { TargetRow } from './define.ts';
import { edgetpu } from './edgetpu.ts';
import { ethosU55 } from './ethos_u55.ts';
import { litert } from './litert.ts';
import { tflm } from './tflm.ts';

/** The words of `target` in a pipeline. */
export const targetNames = ['tflm', 'litert', 'ethos_u55', 'edgetpu'] as const;

export type TargetName = (typeof targetNames)[number];

export const targets: { readonly [N in TargetName]: TargetRow<N> } = { tflm, litert, ethos_u55: ethosU55, edgetpu };
