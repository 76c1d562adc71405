/**
 * Codes of the program that a thread runs. Both compilers read this file: TypeScript encodes with it, AssemblyScript
 * decodes with it. An instruction is [code, words of arguments, ...arguments], all int32.
 */
export const END = 0;

export const COPY = 1;
export const WIDEN = 2;
export const CONVOLVE = 3;
export const DEPTHWISE = 4;
export const MAX_POOL = 5;
export const AVERAGE_POOL = 6;
export const ADD = 7;
export const REQUANTIZE = 8;

/** Output channels that are computed together; weights and channel tables are packed in panels of this many. */
export const PANEL = 8;

/** A full vector may be read where the last values of a tensor lie; as many bytes after each tensor are mapped. */
export const SLACK_BYTES = 32;
