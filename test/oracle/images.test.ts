/** Pictures have the pixels that TensorFlow decodes, and resize to the same floats. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Random } from '../../src/core/random.ts';
import { bytesOf } from '../../src/core/tensor.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { orient } from '../../src/formats/exif.ts';
import { ImageDecoder, defaultMaxPixels } from '../../src/formats/image.ts';
import { JpegDecoder } from '../../src/formats/jpeg.ts';
import { decodePng } from '../../src/formats/png.ts';
import type { Raster } from '../../src/formats/raster.ts';
import { resize } from '../../src/formats/resize.ts';
import { adobeSegment, writeJpeg } from '../formats/jpeg-writer.ts';
import { writePng } from '../formats/png-writer.ts';
import type { PngParts } from '../formats/png-writer.ts';
import type { Oracle } from './oracle.ts';
import { expectBytes, expectList, expectTensor, hasOracle, openOracle } from './oracle.ts';
import { seed } from './seed.ts';

const signDigits = join(process.env['QPIPE_DATA'] ?? join(import.meta.dirname, '../../../shared/data'), 'sign-digits');

/** How two pictures differ: values that are not equal, and the largest difference. */
interface Difference {
  readonly values: number;
  readonly different: number;
  readonly largest: number;
}

function compare(image: Raster<Uint8Array | Float32Array>, expected: Tensor): Difference {
  expect([image.height, image.width, image.channels]).toEqual(expected.shape);
  const { pixels } = image;
  if (Buffer.from(bytesOf(pixels)).equals(bytesOf(expected.data))) {
    return { values: pixels.length, different: 0, largest: 0 };
  }
  const gaps = Array.from(pixels, (value, index) => Math.abs(value - Number(expected.data[index])));
  const largest = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  return { values: pixels.length, different: gaps.filter((gap) => gap > 0).length, largest };
}

/** A picture with smooth parts and noise. */
function drawn(random: Random, width: number, height: number, channels: 1 | 3 | 4): Raster {
  const slopes = Array.from({ length: channels }, () => [random.float() * 8 - 4, random.float() * 8 - 4] as const);
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, index) => {
    const [across, down] = slopes[index % channels]!;
    const pixel = Math.floor(index / channels);
    return 128 + across * (pixel % width) + down * Math.floor(pixel / width) + random.below(40);
  });
  return { width, height, channels, pixels };
}

const asTensor = ({ width, height, channels, pixels }: Raster): Tensor => ({
  ...{ dtype: 'uint8', shape: [height, width, channels], data: pixels },
});

/** The pixels or the code of the refusal. */
function attempt(decode: () => Raster): Raster | string {
  try {
    return decode();
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics[0]!.code;
    throw error;
  }
}

const rgb = { color: 'rgb', orient: false, maxPixels: defaultMaxPixels } as const;

describe.skipIf(!hasOracle)(`pictures, ORACLE_SEED=${seed}`, { timeout: 600_000 }, () => {
  let oracle: Oracle;
  beforeAll(async () => {
    oracle = openOracle();
    await oracle.evaluate('tf.version.VERSION');
  });
  afterAll(() => oracle.close());

  /** What TensorFlow decodes; null where it refuses. */
  async function decoded(expression: string, bytes: Uint8Array): Promise<Tensor | null> {
    const value = await oracle.evaluate(expression, { file: bytes }).catch((error: unknown) => {
      if (error instanceof Error && error.message.startsWith('InvalidArgumentError')) return null;
      throw error;
    });
    return value === null ? null : expectTensor(value);
  }

  it.skipIf(!existsSync(signDigits))('all files of sign-digits decode to the pixels of decode_jpeg', async () => {
    const files = readdirSync(signDigits, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.jpe?g$/i.test(name))
      .map((name) => join(signDigits, name));
    expect(files).toHaveLength(2062);
    const decoder = new ImageDecoder();
    const total = { files: 0, equal: 0, values: 0, different: 0, largest: 0 };
    for (let start = 0; start < files.length; start += 64) {
      const part = files.slice(start, start + 64);
      const answers = await oracle.evaluate('[tf.io.decode_jpeg(tf.io.read_file(path)) for path in paths]', {
        paths: part,
      });
      for (const [index, answer] of expectList(answers).entries()) {
        const path = part[index]!;
        const { values, different, largest } = compare(
          decoder.decode(readFileSync(path), path, rgb),
          expectTensor(answer),
        );
        total.files++;
        if (different === 0) total.equal++;
        total.values += values;
        total.different += different;
        total.largest = Math.max(total.largest, largest);
      }
    }
    console.info(
      `sign-digits: ${total.equal} of ${total.files} files equal, ${total.different} of ${total.values} samples differ, ` +
        `largest difference ${total.largest}`,
    );
    expect(total).toMatchObject({ files: 2062, equal: 2062, largest: 0 });
  });

  it('JPEG of every kind that TensorFlow writes decodes to its pixels, colour and grey', async () => {
    const random = createRandom(seed, 'jpeg');
    const decoder = new JpegDecoder();
    let compared = 0;
    for (const progressive of [false, true]) {
      for (const chroma of [false, true]) {
        for (const channels of [1, 3] as const) {
          for (const [width, height] of [
            [1, 1],
            [7, 9],
            [16, 16],
            [33, 17],
            [100, 75],
          ] as const) {
            const image = asTensor(drawn(random, width, height, channels));
            const call = `tf.io.encode_jpeg(image, quality=${20 + random.below(80)}, progressive=${py(progressive)}, chroma_downsampling=${py(chroma)})`;
            const bytes = expectBytes(await oracle.evaluate(`${call}.numpy()`, { image }));
            const stored = await decoded('tf.io.decode_jpeg(file)', bytes);
            expect(compare(decoder.decode(bytes, 'x.jpg'), stored!), call).toMatchObject({ different: 0 });
            const luma = await decoded('tf.io.decode_jpeg(file, channels=1)', bytes);
            expect(compare(decoder.decode(bytes, 'x.jpg', 'grey'), luma!), call).toMatchObject({ different: 0 });
            compared += 2;
          }
        }
      }
    }
    console.info(`${compared} JPEG pictures equal`);
  });

  // TensorFlow's default transform, in vectors of 16 bits, overflows on some black and white squares: its own
  // accurate transform and the picture that was written say that it is wrong there by up to 255.
  it('JPEG of black and white cells: where the pixels are not those of decode_jpeg, its other transform has ours', async () => {
    const random = createRandom(seed, 'contrast');
    const decoder = new JpegDecoder();
    const total = { pictures: 0, equal: 0 };
    for (const quality of [50, 75, 90, 100]) {
      for (const cell of [1, 2, 3, 4, 8]) {
        for (const isRandom of [false, true]) {
          const image = asTensor(cells(cell, (x, y) => (isRandom ? random.below(2) : (x + y) % 2)));
          const call = `tf.io.encode_jpeg(image, quality=${quality})`;
          const file = expectBytes(await oracle.evaluate(`${call}.numpy()`, { image }));
          const fast = (await decoded('tf.io.decode_jpeg(file)', file))!;
          const accurate = (await decoded("tf.io.decode_jpeg(file, dct_method='INTEGER_ACCURATE')", file))!;
          const ours = decoder.decode(file, 'x.jpg');
          const name = `${call}, cells of ${cell}`;
          total.pictures++;
          if (compare(ours, fast).different === 0) total.equal++;
          else {
            const errors = (values: ArrayLike<number | bigint>): readonly number[] =>
              Array.from({ length: values.length }, (_, at) =>
                Math.abs(Number(values[at]) - Number(accurate.data[at])),
              );
            const [our, their] = [errors(ours.pixels), errors(fast.data)];
            const apart = Array.from(ours.pixels.keys()).filter((index) => ours.pixels[index] !== fast.data[index]);
            // The fast transform rounds coarsely at quality 100.
            expect(Math.max(...apart.map((index) => our[index]!)), name).toBeLessThan(50);
            expect(Math.max(...apart.map((index) => their[index]!)), name).toBeGreaterThan(150);
          }
        }
      }
    }
    console.info(`black and white JPEG: ${total.equal} of ${total.pictures} equal`);
    expect(total.equal).toBeGreaterThan(total.pictures / 2);
  });

  it.each([
    ['CMYK as it is', []],
    ['CMYK of Adobe, inverted', [adobeSegment(0)]],
    ['YCCK of Adobe', [adobeSegment(2)]],
  ])('JPEG in %s gives the red, green and blue of TensorFlow', async (_what, segments) => {
    const random = createRandom(seed, 'cmyk');
    const decoder = new ImageDecoder();
    const file = writeJpeg({ width: 61, height: 50, components: 4, segments, block: () => random.below(256) });
    const expected = await decoded('tf.io.decode_jpeg(file, channels=3)', file);
    const image = decoder.decode(file, 'inks.jpg', rgb);
    expect(new Set(image.pixels).size).toBeGreaterThan(50);
    expect(compare(image, expected!)).toMatchObject({ different: 0 });
  });

  it.each([
    ['YCbCr', []],
    ['RGB of Adobe', [adobeSegment(0)]],
  ])('JPEG in %s without JFIF', async (_what, segments) => {
    const random = createRandom(seed, 'components');
    const file = writeJpeg({ width: 30, height: 50, components: 3, segments, block: () => random.below(256) });
    const expected = await decoded('tf.io.decode_jpeg(file)', file);
    expect(compare(new JpegDecoder().decode(file, 'x.jpg'), expected!)).toMatchObject({ different: 0 });
  });

  it('damaged JPEG is decoded to the same pixels, or refused', async () => {
    const random = createRandom(seed, 'damaged');
    const decoder = new JpegDecoder();
    const counts = { equal: 0, different: 0, 'both refuse': 0, 'only we refuse': 0, 'only TensorFlow refuses': 0 };
    for (let round = 0; round < 300; round++) {
      const call = `tf.io.encode_jpeg(image, progressive=${py(round % 2 === 0)}).numpy()`;
      const whole = expectBytes(await oracle.evaluate(call, { image: asTensor(drawn(random, 40, 40, 3)) }));
      const damaged = round % 3 === 0 ? whole.slice(0, random.below(whole.length - 1)) : withErrors(random, whole);
      const ours = attempt(() => decoder.decode(damaged, 'x.jpg'));
      const theirs = await decoded('tf.io.decode_jpeg(file, channels=3)', damaged);
      if (typeof ours === 'string') counts[theirs === null ? 'both refuse' : 'only we refuse']++;
      else if (theirs === null) counts['only TensorFlow refuses']++;
      else if (ours.channels === 1) counts.equal++;
      else counts[compare(ours, theirs).different === 0 ? 'equal' : 'different']++;
      if (round % 3 === 0) expect(ours).toSatisfy((code) => code === 'truncated-image' || code === 'damaged-image');
    }
    console.info('damaged JPEG:', counts);
    expect(counts['only we refuse'] + counts['only TensorFlow refuses']).toBe(0);
    // The overflow of TensorFlow's fast transform again.
    expect(counts.different).toBeLessThan(counts.equal / 2);
    expect(counts.equal).toBeGreaterThan(80);
  });

  it('PNG of every colour type, depth and interlacing decodes to the pixels of decode_png', async () => {
    const random = createRandom(seed, 'png');
    let compared = 0;
    for (const { colorType, depth, isClear } of pngKinds) {
      for (const isInterlaced of [false, true]) {
        for (const [width, height] of [
          [1, 1],
          [3, 5],
          [8, 8],
          [17, 13],
          [40, 30],
        ] as const) {
          const file = randomPng(random, { width, height, colorType, depth, isInterlaced }, isClear);
          const name = `type ${colorType}, ${depth} bits, ${width} x ${height}, ${isInterlaced ? 'interlaced' : 'rows'}`;
          const image = decodePng(file, 'x.png');
          const expected = await decoded(`tf.io.decode_png(file, channels=${image.channels})`, file);
          expect(compare(image, expected!), name).toMatchObject({ different: 0 });
          expect(image.channels === 4, name).toBe(isClear || colorType === 4 || colorType === 6);
          compared++;
          // Without transparency, as it reaches a network.
          const colors = new ImageDecoder().decode(file, 'x.png', rgb);
          const opaque = await decoded('tf.io.decode_png(file, channels=3)', file);
          expect(compare(colors, opaque!), name).toMatchObject({ different: 0 });
        }
      }
    }
    console.info(`${compared} PNG pictures equal`);
  });

  it('PNG that TensorFlow writes decodes to its pixels', async () => {
    const random = createRandom(seed, 'encoded png');
    for (const channels of [1, 3, 4] as const) {
      for (const dtype of ['uint8', 'uint16']) {
        const image = asTensor(drawn(random, 50, 31, channels));
        const call = `tf.io.encode_png(tf.cast(image, tf.${dtype}) * ${dtype === 'uint8' ? 1 : 201}).numpy()`;
        const file = expectBytes(await oracle.evaluate(call, { image }));
        const expected = await decoded('tf.io.decode_png(file)', file);
        expect(compare(decodePng(file, 'x.png'), expected!), call).toMatchObject({ different: 0 });
      }
    }
  });

  it('damaged PNG is refused or decoded to the same pixels', async () => {
    const random = createRandom(seed, 'damaged png');
    const counts = { equal: 0, 'both refuse': 0, 'only we refuse': 0 };
    for (let round = 0; round < 200; round++) {
      const whole = expectBytes(
        await oracle.evaluate('tf.io.encode_png(image).numpy()', { image: asTensor(drawn(random, 20, 20, 3)) }),
      );
      const damaged = round % 2 === 0 ? whole.slice(0, 9 + random.below(whole.length - 9)) : withErrors(random, whole);
      const ours = attempt(() => decodePng(damaged, 'x.png'));
      const theirs = await decoded('tf.io.decode_png(file)', damaged);
      if (typeof ours === 'string') counts[theirs === null ? 'both refuse' : 'only we refuse']++;
      else {
        expect(compare(ours, theirs!)).toMatchObject({ different: 0 });
        counts.equal++;
      }
    }
    console.info('damaged PNG:', counts);
    expect(counts['only we refuse']).toBe(0);
    expect(counts['both refuse']).toBeGreaterThan(150);
  });

  it('grey of colours is rgb_to_grayscale, for every sample of a channel and random ones', async () => {
    const random = createRandom(seed, 'grey');
    const [width, height] = [1024, 512];
    const sample = (x: number, y: number, index: number): number =>
      y < 3 ? (y === index ? x & 255 : 0) : y < 4 ? x & 255 : random.below(256);
    const file = writePng({ width, height, depth: 8, colorType: 2, sample, filter: () => 0 });
    const image = new ImageDecoder().decode(file, 'x.png', { ...rgb, color: 'grey' });
    const expected = await decoded('tf.image.rgb_to_grayscale(tf.io.decode_png(file))', file);
    expect(compare(image, expected!)).toMatchObject({ values: width * height, different: 0 });
  });

  it.each([
    [1, 'image'],
    [2, 'tf.image.flip_left_right(image)'],
    [3, 'tf.image.rot90(image, 2)'],
    [4, 'tf.image.flip_up_down(image)'],
    [5, 'tf.image.transpose(image)'],
    [6, 'tf.image.rot90(image, 3)'],
    [7, 'tf.image.transpose(tf.image.rot90(image, 2))'],
    [8, 'tf.image.rot90(image, 1)'],
  ] as const)('orientation %i is %s', async (orientation, expression) => {
    const random = createRandom(seed, 'orientation');
    for (const channels of [1, 3] as const) {
      const image = drawn(random, 7, 4, channels);
      const expected = expectTensor(await oracle.evaluate(expression, { image: asTensor(image) }));
      expect(compare(orient(image, orientation), expected)).toMatchObject({ different: 0 });
    }
  });

  describe.each(['bilinear', 'area'] as const)('resize by %s', (method) => {
    it.each([
      ['fit', `tf.image.resize(image, size, '${method}')`],
      ['crop', `tf.keras.preprocessing.image.smart_resize(image, size, '${method}')`],
      ['pad', `tf.image.resize_with_pad(image, *size, method='${method}')`],
    ] as const)('%s equals %s to the bit', async (aspect, expression) => {
      const random = createRandom(seed, 'resize', method, aspect);
      let compared = 0;
      const cases = [...resizeCases, ...Array.from({ length: 60 }, () => randomSizes(random))];
      for (const [width, height, toWidth, toHeight] of cases) {
        for (const channels of [1, 3, 4] as const) {
          const image = drawn(random, width, height, channels);
          const size = { width: toWidth, height: toHeight };
          const answer = await oracle
            .evaluate(`tf.cast(${expression}, tf.float32)`, {
              ...{ image: asTensor(image), size: [toHeight, toWidth] },
            })
            .catch((error: unknown) => {
              // A side that would come out empty: ours keeps a pixel.
              if (String(error).includes('must be of non-zero size') || String(error).includes('must be positive')) {
                return null;
              }
              throw error;
            });
          if (answer === null) continue;
          compared++;
          const name = `${width} x ${height} x ${channels} to ${toWidth} x ${toHeight}`;
          const ours = resize(image, size, method, aspect);
          expect(compare(ours, expectTensor(answer)), name).toMatchObject({ different: 0 });
        }
      }
      console.info(`${compared} pictures resized by ${method}, ${aspect}: equal`);
      expect(compared).toBeGreaterThan(150);
    });
  });
});

/** 48 x 48 pixels, black or white in squares. */
function cells(side: number, color: (x: number, y: number) => number): Raster {
  const count = Math.ceil(48 / side);
  const colors = Uint8Array.from({ length: count * count }, (_, index) =>
    color(index % count, Math.floor(index / count)),
  );
  const pixels = Uint8Array.from({ length: 48 * 48 * 3 }, (_, index) => {
    const [x, y] = [Math.floor(index / 3) % 48, Math.floor(index / 144)];
    return 255 * colors[Math.floor(y / side) * count + Math.floor(x / side)]!;
  });
  return { width: 48, height: 48, channels: 3, pixels };
}

const resizeCases = [
  [3024, 402, 96, 96],
  [100, 100, 64, 64],
  [100, 100, 100, 100],
  [1, 1, 5, 3],
  [5, 3, 1, 1],
  [49, 7, 7, 13],
  [640, 480, 224, 224],
  [28, 28, 224, 224],
] as const;

function randomSizes(random: Random): readonly [number, number, number, number] {
  return [1 + random.below(120), 1 + random.below(120), 1 + random.below(120), 1 + random.below(120)];
}

const pngKinds = [
  ...[1, 2, 4, 8, 16].map((depth) => ({ colorType: 0, depth })),
  ...[8, 16].map((depth) => ({ colorType: 2, depth })),
  ...[1, 2, 4, 8].map((depth) => ({ colorType: 3, depth })),
  ...[8, 16].flatMap((depth) => [
    { colorType: 4, depth },
    { colorType: 6, depth },
  ]),
].flatMap((kind) => (kind.colorType < 4 ? [false, true] : [false]).map((isClear) => ({ ...kind, isClear })));

type PngKind = Pick<PngParts, 'width' | 'height' | 'colorType' | 'depth'> & { readonly isInterlaced: boolean };

/** Few different samples where one of them is transparent, so that it occurs. */
function randomPng(random: Random, kind: PngKind, isClear: boolean): Uint8Array {
  const values = Array.from({ length: isClear ? 3 : 200 }, () => random.below(2 ** kind.depth));
  const colors = Math.min(200, 2 ** kind.depth);
  const used = kind.colorType === 3 ? values.map((value) => value % colors) : values;
  const clear = [values[0]!, values[0]!, values[0]!].flatMap((value) => [value >> 8, value & 255]);
  return writePng({
    ...kind,
    sample: () => used[random.below(used.length)]!,
    filter: () => random.below(5),
    pieces: 1 + random.below(3),
    ...(kind.colorType === 3 ? { palette: Array.from({ length: 3 * colors }, () => random.below(256)) } : {}),
    ...(!isClear
      ? {}
      : { transparency: kind.colorType === 3 ? [0, 100].slice(0, colors) : clear.slice(kind.colorType === 0 ? 4 : 0) }),
  });
}

const py = (value: boolean): string => (value ? 'True' : 'False');

function withErrors(random: Random, bytes: Uint8Array): Uint8Array {
  const damaged = bytes.slice();
  for (let count = 1 + random.below(3); count > 0; count--)
    damaged[3 + random.below(bytes.length - 3)] = random.below(256);
  return damaged;
}
