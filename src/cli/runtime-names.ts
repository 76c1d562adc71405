/**
 * The integers of a microcontroller (TFLM) by the plain loops, and by the SIMD kernels that equal them; those of a phone
 * or browser (LiteRT, XNNPACK) by Google's runtime; those of LiteRT's reference kernels by the plain loops.
 */
export const runtimeNames = ['reference', 'wasm', 'litert', 'litert-reference'] as const;

export type RuntimeName = (typeof runtimeNames)[number];
