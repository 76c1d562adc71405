/** Writes baseline JPEG files of flat 8 x 8 blocks with any number of components; the oracle reads them with libjpeg. */

export interface JpegParts {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Written after the start marker, each with its own marker. */
  readonly segments?: readonly Uint8Array[];
  /** The value of a block, 0 to 255. */
  readonly block: (component: number, index: number) => number;
}

export function jpegSegment(marker: number, data: Uint8Array): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, data]);
}

/** @param transform 0 as it is, 1 YCbCr, 2 YCCK */
export function adobeSegment(transform: number): Buffer {
  return jpegSegment(
    0xee,
    Buffer.concat([Buffer.from('Adobe', 'latin1'), Buffer.from([0, 100, 0, 0, 0, 0, transform])]),
  );
}

export function exifSegment(orientation: number, order: 'II' | 'MM'): Buffer {
  return jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exifData(orientation, order)]));
}

/** A directory of two entries, the orientation second. */
export function exifData(orientation: number, order: 'II' | 'MM'): Buffer {
  const short = (value: number): number[] => (order === 'II' ? [value & 255, value >> 8] : [value >> 8, value & 255]);
  const long = (value: number): number[] => (order === 'II' ? [...short(value), 0, 0] : [0, 0, ...short(value)]);
  const entry = (tag: number, value: number): number[] => [
    ...short(tag),
    ...short(3),
    ...long(1),
    ...short(value),
    0,
    0,
  ];
  const directory = [...short(2), ...entry(0x0100, 7), ...entry(0x0112, orientation), ...long(0)];
  return Buffer.from([...Buffer.from(order, 'latin1'), ...short(42), ...long(8), ...directory]);
}

export function writeJpeg({ width, height, components, segments = [], block }: JpegParts): Uint8Array {
  const all = Array.from({ length: components }, (_, component) => component);
  const frame = [8, height >> 8, height & 255, width >> 8, width & 255, components];
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  const differences = all.map((component) => {
    let before = 0;
    return Array.from({ length: blocks }, (_, index) => {
      const level = 8 * (block(component, index) - 128);
      const difference = level - before;
      before = level;
      return difference;
    });
  });
  let bits = '';
  for (let index = 0; index < blocks; index++) {
    // The only alternating coefficient is the end of the block, code 0.
    for (const component of all) bits += `${codeOf(differences[component]![index]!)}0`;
  }
  return Buffer.concat([
    ...[Buffer.from([0xff, 0xd8]), ...segments],
    jpegSegment(0xdb, Uint8Array.from([0, ...new Uint8Array(64).fill(1)])),
    jpegSegment(0xc0, Uint8Array.from([...frame, ...all.flatMap((component) => [component + 1, 0x11, 0])])),
    // Categories 0 to 11 with codes of 4 bits, in order.
    jpegSegment(0xc4, Uint8Array.from([0x00, 0, 0, 0, 12, ...new Uint8Array(12), ...Array(12).keys()])),
    jpegSegment(0xc4, Uint8Array.from([0x10, 1, ...new Uint8Array(15), 0])),
    jpegSegment(0xda, Uint8Array.from([components, ...all.flatMap((component) => [component + 1, 0]), 0, 63, 0])),
    ...[packBits(bits), Buffer.from([0xff, 0xd9])],
  ]);
}

/** The category in 4 bits, then the difference in as many bits as the category says; negative ones less 1. */
function codeOf(difference: number): string {
  const category = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
  const value = difference < 0 ? difference + 2 ** category - 1 : difference;
  return category.toString(2).padStart(4, '0') + (category === 0 ? '' : value.toString(2).padStart(category, '0'));
}

function packBits(bits: string): Buffer {
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = parseInt(bits.slice(at, at + 8).padEnd(8, '1'), 2);
    bytes.push(byte, ...(byte === 255 ? [0] : []));
  }
  return Buffer.from(bytes);
}
