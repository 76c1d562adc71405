/** From which output of a model on a class or a label applies. */
import { dequantizeValue } from '../core/affine.ts';
import { isRecord } from '../core/schema.ts';
import type { Task } from '../measurements/metrics.ts';

export interface Decision {
  /** As a code of the output; null for a model that gives floats. */
  readonly code: number | null;
  /** As a real value of the output. */
  readonly real: number;
  /** Where it comes from, in words. */
  readonly source: string;
}

interface OutputType {
  readonly dtype: string;
}

interface Quant {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** A probability of one half, which is the logit 0; null for tasks that need no threshold. */
export function halfDecision(
  task: Task,
  areProbabilities: boolean,
  output: OutputType,
  { scale, zeroPoint }: Quant,
): Decision | null {
  if (task !== 'binary' && task !== 'multi_label') return null;
  const half = areProbabilities ? 0.5 : 0;
  const source = areProbabilities ? 'a probability of one half' : 'a probability of one half, the logit 0';
  return output.dtype === 'float32'
    ? { code: null, real: half, source }
    : { code: Math.ceil(half / scale + zeroPoint), real: half, source };
}

/**
 * The threshold that the test stage chose on the validation examples; null where it chose none.
 *
 * @param report the parsed test.json
 * @param output of the model
 */
export function testedDecision(
  report: unknown,
  output: OutputType & { readonly quant: Quant | null },
): Decision | null {
  const decision = isRecord(report) ? report['decision'] : undefined;
  if (!isRecord(decision)) return null;
  const { code, threshold } = decision;
  const real = isRecord(threshold) ? threshold['int8'] : undefined;
  if (typeof code !== 'number' || typeof real !== 'number') return null;
  const source = 'chosen by the test stage on the validation examples';
  const { quant } = output;
  if (quant === null) return { code: null, real, source };
  return { code, real: dequantizeValue(code, quant.scale, quant.zeroPoint), source };
}
