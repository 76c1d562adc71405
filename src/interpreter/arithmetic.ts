/** Where the kernels of runtimes compute integers otherwise than each other: facts of a runtime, op by op. */
import type { Rounding } from '../ops/define.ts';
import type { OpName } from '../ops/index.ts';

export interface Arithmetic {
  /** Ops that do not round twice. */
  readonly rounding: { readonly [K in OpName]?: Rounding };
}

/**
 * TensorFlow Lite Micro, and TensorFlow Lite's reference kernels up to 2.15 at least: every op rounds twice.
 *
 * Neither runtime is built with TFLITE_SINGLE_ROUNDING, which would change every op (LiteRT
 * tflite/kernels/internal/common.cc, commit 14906c95).
 */
export const microcontroller: Arithmetic = { rounding: {} };

/**
 * LiteRT's reference kernels (`ai-edge-litert` 2.3.0 with BUILTIN_REF). FULLY_CONNECTED alone multiplies its accumulator
 * with a double and rounds once; the form that rounds twice is still there for TensorFlow Lite Micro.
 *
 * @see LiteRT tflite/kernels/fully_connected.cc, FullyConnectedInt8 and FullyConnectedPerChannelInt8, commit 02f54034
 */
export const litertReference: Arithmetic = { rounding: { fully_connected: 'once' } };
