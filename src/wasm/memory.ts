/** How the shared memory of a WASM program is divided. */
/** A block that needs memory from one step of a schedule to another, both included. */
export interface Block {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** One cache line: no two blocks share one, so threads never contend for a line. */
export const ALIGNMENT = 64;

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * Places blocks so that those alive at the same time do not overlap: the largest first, each at the lowest offset
 * that is free for its whole life.
 */
export function placeBlocks(blocks: readonly Block[]): { readonly offsets: readonly number[]; readonly bytes: number } {
  const order = blocks.map((_, index) => index).sort((a, b) => blocks[b]!.bytes - blocks[a]!.bytes || a - b);
  const offsets = new Array<number>(blocks.length).fill(0);
  const placed: number[] = [];
  let bytes = 0;
  for (const index of order) {
    const block = blocks[index]!;
    const neighbours = placed
      .filter((other) => blocks[other]!.first <= block.last && block.first <= blocks[other]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let offset = 0;
    for (const other of neighbours) {
      if (offset + align(block.bytes) <= offsets[other]!) break;
      offset = Math.max(offset, offsets[other]! + align(blocks[other]!.bytes));
    }
    offsets[index] = offset;
    placed.push(index);
    bytes = Math.max(bytes, offset + align(block.bytes));
  }
  return { offsets, bytes };
}

/** Places blocks one after the other from an address on, with some room behind each. */
export interface Allocator {
  readonly place: (bytes: number) => number;
  /** The end of the last block. */
  readonly bytes: () => number;
}

export function allocator(start = 0, roomBytes = 0): Allocator {
  let end = start;
  return {
    place(bytes) {
      const address = end;
      end += align(bytes + roomBytes);
      return address;
    },
    bytes: () => end,
  };
}

const PAGE_BYTES = 65536;
const MOST_PAGES = 65536;

/** Memory that threads share; null when it is more than WebAssembly can address. */
export function sharedMemory(bytes: number): WebAssembly.Memory | null {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return pages > MOST_PAGES ? null : new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
