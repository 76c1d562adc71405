/**
 * DEFLATE with the fixed code. By hand, because the bytes of Node's zlib depend on the machine: files that a report
 * contains have to be the same everywhere.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1951
 */

const window = 32_768;
const [shortest, longest] = [3, 258];
/** Earlier places that a match is looked for at. */
const mostTried = 32;

/** Base and extra bits of length codes 257 to 285. */
const lengths = table([[8, 0], ...[1, 2, 3, 4, 5].map((bits): [number, number] => [4, bits])]).map(
  ([base, bits]): Code => [base + shortest, bits],
);
lengths[28] = [longest, 0];
/** Base and extra bits of distance codes 0 to 29. */
const distances = table([[4, 0], ...Array.from({ length: 13 }, (_, at): [number, number] => [2, at + 1])]).map(
  ([base, bits]): Code => [base + 1, bits],
);

type Code = readonly [base: number, bits: number];

/** @param groups how many codes have so many extra bits */
function table(groups: readonly (readonly [count: number, bits: number])[]): Code[] {
  const codes: Code[] = [];
  let base = 0;
  for (const [count, bits] of groups) {
    for (let at = 0; at < count; at++) {
      codes.push([base, bits]);
      base += 2 ** bits;
    }
  }
  return codes;
}

/** A zlib stream of the bytes. @see https://www.rfc-editor.org/rfc/rfc1950 */
export function zlibStream(bytes: Uint8Array): Uint8Array {
  const out = bitWriter();
  out.byte(0x78);
  out.byte(0x01);
  // The last block, with the fixed code.
  out.bits(1, 1);
  out.bits(1, 2);
  compress(bytes, out);
  writeLiteral(out, 256);
  out.align();
  const sum = adler32(bytes);
  for (const shift of [24, 16, 8, 0]) out.byte((sum >>> shift) & 255);
  return out.finish();
}

function compress(bytes: Uint8Array, out: BitWriter): void {
  // By hash of three bytes the latest place, and before each place the one before.
  const latest = new Int32Array(2 ** 15).fill(-1);
  const before = new Int32Array(bytes.length).fill(-1);
  const remember = (at: number): void => {
    if (at + shortest > bytes.length) return;
    const hash = ((bytes[at]! << 10) ^ (bytes[at + 1]! << 5) ^ bytes[at + 2]!) & 0x7fff;
    before[at] = latest[hash]!;
    latest[hash] = at;
  };
  for (let at = 0; at < bytes.length;) {
    remember(at);
    const { length, from } = longestMatch(bytes, before, at);
    if (length < shortest) {
      writeLiteral(out, bytes[at]!);
      at++;
      continue;
    }
    writeMatch(out, length, at - from);
    for (let next = at + 1; next < at + length; next++) remember(next);
    at += length;
  }
}

function longestMatch(bytes: Uint8Array, before: Int32Array, at: number): { length: number; from: number } {
  let [best, from] = [0, -1];
  const most = Math.min(longest, bytes.length - at);
  let place = before[at]!;
  for (let tried = 0; tried < mostTried && place >= 0 && at - place <= window; tried++, place = before[place]!) {
    let length = 0;
    while (length < most && bytes[place + length] === bytes[at + length]) length++;
    if (length > best) [best, from] = [length, place];
  }
  return { length: best, from };
}

function writeMatch(out: BitWriter, length: number, distance: number): void {
  const ofLength = lengths.findLastIndex(([base]) => base <= length);
  const [lengthBase, lengthBits] = lengths[ofLength]!;
  writeLiteral(out, 257 + ofLength);
  out.bits(length - lengthBase, lengthBits);
  const ofDistance = distances.findLastIndex(([base]) => base <= distance);
  const [distanceBase, distanceBits] = distances[ofDistance]!;
  out.code(ofDistance, 5);
  out.bits(distance - distanceBase, distanceBits);
}

/** The fixed code of literals and lengths. */
function writeLiteral(out: BitWriter, symbol: number): void {
  if (symbol < 144) out.code(0x30 + symbol, 8);
  else if (symbol < 256) out.code(0x190 + symbol - 144, 9);
  else if (symbol < 280) out.code(symbol - 256, 7);
  else out.code(0xc0 + symbol - 280, 8);
}

type BitWriter = ReturnType<typeof bitWriter>;

function bitWriter() {
  const bytes: number[] = [];
  let [held, filled] = [0, 0];
  const bits = (value: number, count: number): void => {
    held |= value << filled;
    filled += count;
    while (filled >= 8) {
      bytes.push(held & 255);
      held >>>= 8;
      filled -= 8;
    }
  };
  return {
    byte: (value: number): void => void bytes.push(value),
    /** Numbers: the lowest bit first. */
    bits,
    /** Huffman codes: the highest bit first. */
    code(value: number, count: number): void {
      for (let bit = count - 1; bit >= 0; bit--) bits((value >>> bit) & 1, 1);
    },
    align(): void {
      if (filled > 0) bits(0, 8 - filled);
    },
    finish: (): Uint8Array => Uint8Array.from(bytes),
  };
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}
