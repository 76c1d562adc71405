/** Programs that WASM threads run: int32 words, an instruction after the other. */

/** An int32 word (float32 arguments as their bits, see `float32Bits`), or a place whose address is known later. */
export type Argument<Region> = number | Region;

export interface Instruction<Region> {
  /** One of the runtime's opcodes. */
  readonly code: number;
  readonly args: readonly Argument<Region>[];
}

/** An instruction as words: its head, the number of arguments, the arguments. */
export function instructionWords<Region>(
  head: readonly number[],
  args: readonly Argument<Region>[],
  addressOf: (region: Region) => number,
): number[] {
  return [...head, args.length, ...args.map((arg) => (typeof arg === 'number' ? arg : addressOf(arg)))];
}

/** The bits of a float32 as an int32 argument. */
export function float32Bits(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0] ?? 0;
}
