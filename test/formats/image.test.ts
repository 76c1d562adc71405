/** Without an oracle: what is refused and how, sizes and orientation. Pixels are compared in test/oracle/images.test.ts. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { readOrientation } from '../../src/formats/exif.ts';
import { ImageDecoder, defaultMaxPixels, imageSize, readImageHeader } from '../../src/formats/image.ts';
import { jpegSize } from '../../src/formats/jpeg.ts';
import { decodePng, pngSize } from '../../src/formats/png.ts';
import { adobeSegment, exifData, exifSegment, jpegSegment, writeJpeg } from './jpeg-writer.ts';
import { pngChunk, pngHeader, pngSignature, writePng } from './png-writer.ts';

const options = { color: 'rgb', orient: false, maxPixels: defaultMaxPixels } as const;
const decoder = new ImageDecoder();
const decode = (bytes: Uint8Array): unknown => decoder.decode(bytes, 'photos/a.jpg', options);

const jpeg = writeJpeg({
  width: 20,
  height: 12,
  components: 3,
  block: (component, index) => 40 * component + 20 * index,
});
const png = writePng({ width: 6, height: 4, depth: 8, colorType: 2, sample: (x, y, index) => 10 * x + 50 * y + index });

function refusal(bytes: Uint8Array): string {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'decoded';
}

const latin1 = (text: string): Uint8Array => Buffer.from(text.padEnd(64, '\0'), 'latin1');

describe('an image', () => {
  it.each([
    ['WebP', latin1('RIFF\x10\0\0\0WEBPVP8 '), 'a WebP image'],
    ['GIF', latin1('GIF89a'), 'a GIF image'],
    ['HEIC', latin1('\0\0\0\x18ftypheic'), 'a HEIC or AVIF image'],
    ['TIFF', latin1('II*\0'), 'a TIFF image'],
    ['BMP', latin1('BM\x46\0\0\0\0\0\0\0'), 'a BMP image'],
  ])('%s is refused by name', (_what, bytes, name) => {
    expect(refusal(bytes)).toBe(
      `photos/a.jpg error unsupported-image: the file is ${name}; expected a JPEG or PNG image\n` +
        '  hint: convert it to PNG, which loses nothing, or to JPEG',
    );
  });

  it.each([
    ['text', Buffer.from('Photographs of 2017, see the list.\n'), 'text'],
    ['an empty file', new Uint8Array(0), 'empty'],
    ['a sound', latin1('RIFF\x10\0\0\0WAVEfmt '), 'a WAV sound'],
    ['a text that begins as a bitmap', Buffer.from('BMP files are large.\n'), 'text'],
  ])('%s is not an image', (_what, bytes, name) => {
    expect(refusal(bytes)).toMatch(`error not-an-image: the file is ${name}; expected a JPEG or PNG image`);
  });

  it.each([
    ['JPEG', jpeg],
    ['PNG', png],
  ])('%s that is cut anywhere is refused, and the decoder still works', (_what, whole) => {
    for (let length = 0; length < whole.length; length++) {
      expect(refusal(whole.slice(0, length)), `${length}`).toMatch(/ (truncated-image|not-an-image): /);
    }
    expect(refusal(whole)).toBe('decoded');
  });

  it('JPEG that the library gives up on is refused, and the decoder still works', () => {
    // A scan that names a table of codes which the file does not hold.
    const scan = Buffer.from(jpeg).indexOf(Buffer.from([0xff, 0xda]));
    const damaged = Uint8Array.from(jpeg);
    damaged[scan + 6] = 0x33;
    expect(refusal(damaged)).toMatch('error damaged-image: the JPEG file cannot be decoded');
    expect(refusal(jpeg)).toBe('decoded');
    // What a failed image of 108 MB took is given back: 45 of them would not fit into one memory.
    const large = Buffer.from(damaged);
    const frame = large.indexOf(Buffer.from([0xff, 0xc0]));
    large.writeUInt16BE(6000, frame + 5);
    large.writeUInt16BE(6000, frame + 7);
    for (let round = 0; round < 45; round++) expect(refusal(large)).toMatch('error damaged-image');
  });

  it('a bomb is refused by its size, before it is decoded', () => {
    const bomb = Buffer.concat([
      ...[pngSignature, pngHeader(60_000, 60_000, 8, 6)],
      ...[pngChunk('IDAT', deflateSync(new Uint8Array(1000))), pngChunk('IEND', new Uint8Array(0))],
    ]);
    expect(refusal(bomb)).toBe(
      'photos/a.jpg error large-image: the image is 60000 x 60000 pixels; at most 67108864 pixels are decoded\n' +
        '  hint: make the image smaller, or leave it out',
    );
    const large = Buffer.from(jpeg);
    const frame = large.indexOf(Buffer.from([0xff, 0xc0]));
    large.fill(0xff, frame + 5, frame + 9);
    expect(refusal(large)).toMatch('the image is 65535 x 65535 pixels');
    expect(() => decoder.decode(png, 'x.png', { ...options, maxPixels: 23 })).toThrow('at most 23 pixels');
    expect(decoder.decode(png, 'x.png', { ...options, maxPixels: 24 }).width).toBe(6);
  });

  it('rows beyond the height are not unpacked, and profiles not at all', () => {
    const packed = deflateSync(new Uint8Array(2 ** 24));
    const [first, last] = [pngSignature, pngChunk('IEND', new Uint8Array(0))];
    const long = Buffer.concat([first, pngHeader(4, 4, 8, 0), pngChunk('IDAT', packed), last]);
    expect(refusal(long)).toMatch('error damaged-image: the PNG file is damaged: it holds more rows than its height');
    const profile = Buffer.concat([Buffer.from('name\0\0', 'latin1'), Buffer.from('not zlib')]);
    const rows = pngChunk('IDAT', deflateSync(new Uint8Array(4 * 5)));
    const harmless = Buffer.concat([first, pngHeader(4, 4, 8, 0), pngChunk('iCCP', profile), rows, last]);
    expect(refusal(harmless)).toBe('decoded');
  });

  it.each([
    ['too few rows', pngHeader(4, 4, 8, 0), 19, 'it holds 19 bytes of rows, expected 20'],
    ['an unknown colour type', pngHeader(4, 4, 8, 1), 20, 'colour type 1 is unknown'],
    ['a depth that its colour type lacks', pngHeader(4, 4, 2, 2), 20, 'colour type 2 has no depth of 2 bits'],
    ['a palette that is missing', pngHeader(4, 4, 8, 3), 20, 'its palette is missing'],
    ['unknown interlacing', pngHeader(4, 4, 8, 0, 2), 20, 'interlacing is unknown'],
    ['a chunk that nobody knows', Buffer.concat([pngHeader(4, 4, 8, 0), pngChunk('QPIP', png)]), 20, 'it needs QPIP'],
    ['no header', pngChunk('PLTE', new Uint8Array(3)), 20, 'it begins with PLTE, expected IHDR'],
  ])('PNG with %s is refused', (_what, header, rowBytes, message) => {
    const rows = pngChunk('IDAT', deflateSync(new Uint8Array(rowBytes)));
    const file = Buffer.concat([pngSignature, header, rows, pngChunk('IEND', new Uint8Array(0))]);
    expect(() => decodePng(file, 'a.png')).toThrow(message);
    expect(() => decodePng(file, 'a.png')).toThrow(/^a\.png error damaged-image: [^]*hint: /);
  });

  it.each([
    [0xc9, 8, 'JPEG with arithmetic coding'],
    [0xc3, 8, 'lossless JPEG'],
    [0xc5, 8, 'hierarchical JPEG'],
    [0xc1, 12, 'JPEG of 12 bits a sample'],
  ])('frame %i of %i bits is refused as %s', (marker, bits, name) => {
    const file = Buffer.from(jpeg);
    const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
    file.set([marker], frame + 1);
    file.set([bits], frame + 4);
    expect(refusal(file)).toMatch(`error unsupported-image: the file is ${name}, which cannot be decoded`);
  });

  it('JPEG with two components is refused', () => {
    const file = writeJpeg({ width: 8, height: 8, components: 2, block: () => 9 });
    expect(refusal(file)).toMatch('the file is JPEG with 2 components');
  });
});

describe('sizes', () => {
  it('are read from the header alone', () => {
    expect(jpegSize(jpeg.subarray(0, jpeg.length - 200))).toEqual({ width: 20, height: 12 });
    expect(pngSize(png.subarray(0, 24))).toEqual({ width: 6, height: 4 });
    expect(pngSize(png.subarray(0, 23))).toBeNull();
    expect(jpegSize(jpeg.subarray(0, 20))).toBeNull();
    expect(readImageHeader(Buffer.from('text'))).toBeNull();
  });

  it('are not taken from a picture within the EXIF data', () => {
    const small = writeJpeg({ width: 3, height: 2, components: 1, block: () => 7 });
    const segments = [jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exifData(1, 'MM'), small]))];
    const file = writeJpeg({ width: 20, height: 12, components: 3, segments, block: () => 7 });
    expect(jpegSize(file)).toEqual({ width: 20, height: 12 });
    // Its end marker is not the end of the file.
    expect(refusal(file.slice(0, file.length - 2))).toMatch('truncated-image');
  });
});

describe('orientation', () => {
  it.each(['II', 'MM'] as const)('is read in byte order %s', (order) => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      expect(readOrientation(exifData(orientation, order))).toBe(orientation);
    }
    expect(readOrientation(exifData(9, order))).toBe(1);
    const whole = exifData(6, order);
    for (let length = 0; length < whole.length - 4; length++) {
      expect(readOrientation(whole.subarray(0, length))).toSatisfy(
        (value) => value === 1 || (value === 6 && length >= 34),
      );
    }
  });

  it('turns a JPEG picture when it is asked to', () => {
    const segments = [adobeSegment(0), exifSegment(6, 'II')];
    const file = writeJpeg({ width: 16, height: 8, components: 3, segments, block: (_, index) => 50 + 100 * index });
    expect(readImageHeader(file)).toEqual({ kind: 'jpeg', width: 16, height: 8, orientation: 6 });
    expect(imageSize(file, false)).toEqual({ width: 16, height: 8 });
    expect(imageSize(file, true)).toEqual({ width: 8, height: 16 });
    const stored = decoder.decode(file, 'x.jpg', options);
    expect([stored.width, stored.height, stored.pixels[0], stored.pixels.at(-1)]).toEqual([16, 8, 50, 150]);
    const seen = decoder.decode(file, 'x.jpg', { ...options, orient: true });
    // The left half of the file is on top.
    expect([seen.width, seen.height, ...seen.pixels.slice(0, 3)]).toEqual([8, 16, 50, 50, 50]);
    expect([seen.pixels[3 * 7], seen.pixels.at(-1)]).toEqual([50, 150]);
  });

  it('turns a PNG picture too', () => {
    const extra = [pngChunk('eXIf', exifData(3, 'MM'))];
    const file = writePng({ width: 3, height: 1, depth: 8, colorType: 0, extra, sample: (x) => x });
    expect(decoder.decode(file, 'x.png', { ...options, color: 'grey', orient: true }).pixels).toEqual(
      Uint8Array.of(2, 1, 0),
    );
    expect(decoder.decode(file, 'x.png', { ...options, color: 'grey' }).pixels).toEqual(Uint8Array.of(0, 1, 2));
  });
});

describe('colour', () => {
  it('of a grey file is the grey three times', () => {
    const file = writePng({ width: 2, height: 1, depth: 8, colorType: 0, sample: (x) => 5 + x });
    expect(decoder.decode(file, 'x.png', options)).toEqual({
      ...{ width: 2, height: 1, channels: 3, pixels: Uint8Array.of(5, 5, 5, 6, 6, 6) },
    });
  });

  it('below transparency is kept', () => {
    const file = writePng({
      width: 1,
      height: 1,
      depth: 8,
      colorType: 6,
      sample: (_x, _y, index) => [9, 8, 7, 0][index]!,
    });
    expect(decoder.decode(file, 'x.png', options).pixels).toEqual(Uint8Array.of(9, 8, 7));
  });
});
