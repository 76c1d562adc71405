/** The table of deployment targets. A target without a row does not compile. */
import type { TargetRow } from './define.ts';
import { edgetpu } from './edgetpu.ts';
import { ethosU55 } from './ethos_u55.ts';
import { litert } from './litert.ts';
import type { TargetName } from './names.ts';
import { targetNames } from './names.ts';
import { tflm } from './tflm.ts';

export { targetNames };
export type { TargetName };

export const targets: { readonly [N in TargetName]: TargetRow<N> } = { tflm, litert, ethos_u55: ethosU55, edgetpu };
