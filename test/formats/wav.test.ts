import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { readWav, readWavHeader, toInt16 } from '../../src/formats/wav.ts';

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];
const u16 = (...values: number[]): number[] => values.flatMap((value) => [value & 255, (value >> 8) & 255]);
const u32 = (value: number): number[] => u16(value & 0xffff, value >>> 16);
const chunk = (id: string, content: readonly number[], size = content.length): number[] => [
  ...ascii(id),
  ...u32(size),
  ...content,
  ...(content.length % 2 === 1 ? [0] : []),
];
const riff = (...chunks: readonly (readonly number[])[]): Uint8Array => {
  const body = [...ascii('WAVE'), ...chunks.flat()];
  return Uint8Array.from([...ascii('RIFF'), ...u32(body.length), ...body]);
};

interface Fields {
  readonly code?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bits?: number;
  /** Of a sample of one channel. */
  readonly bytes?: number;
  readonly more?: readonly number[];
}

function format({
  code = 1,
  channels = 1,
  rate = 8000,
  bits = 16,
  bytes = Math.ceil(bits / 8),
  more = [],
}: Fields = {}) {
  const frame = channels * bytes;
  return chunk('fmt ', [...u16(code, channels), ...u32(rate), ...u32(rate * frame), ...u16(frame, bits), ...more]);
}

/** cbSize, bits that count, loudspeakers, then the code and the fixed rest of the GUID. */
const extension = (code: number, bits: number): number[] => [
  ...u16(22, bits),
  ...u32(0),
  ...u16(code, 0, 0, 0x10),
  ...[0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71],
];

const floats = (...values: number[]): number[] => [...new Uint8Array(Float32Array.from(values).buffer)];
const doubles = (...values: number[]): number[] => [...new Uint8Array(Float64Array.from(values).buffer)];
const samplesOf = (bytes: Uint8Array): number[] => [...readWav(bytes, 'a.wav').samples];

describe('readWavHeader', () => {
  it('says what is known without the samples: a frame has one of each channel', () => {
    const file = riff(
      format({ rate: 44100, channels: 2, bits: 24 }),
      chunk('data', new Array<number>(6 * 7 + 5).fill(0)),
    );
    expect(readWavHeader(file, 'a.wav')).toEqual({ rate: 44100, channels: 2, frames: 7 });
  });

  it('refuses a file that is cut short', () => {
    expect(() => readWavHeader(riff(format(), chunk('data', u16(1, 2), 40)), 'a.wav')).toThrow(/truncated-wav/);
  });
});

describe('readWav', () => {
  it('reads 16-bit PCM as n / 32768', () => {
    const file = riff(format({ rate: 11025 }), chunk('data', u16(0, 1, 0x7fff, 0x8000, 0xffff)));
    expect(readWav(file, 'a.wav')).toEqual({
      rate: 11025,
      channels: 1,
      frames: 5,
      samples: Float32Array.of(0, 1 / 32768, 32767 / 32768, -1, -1 / 32768),
    });
  });

  it.each<[string, Fields, number[], number[]]>([
    ['8 bits around 128', { bits: 8 }, [0, 127, 128, 255], [-1, -1 / 128, 0, 127 / 128]],
    ['24 bits', { bits: 24 }, [0, 0, 0x80, 0xff, 0xff, 0x7f, 1, 0, 0], [-1, 8388607 / 8388608, 2 ** -23]],
    ['32 bits', { bits: 32 }, [...u32(0x80000000), ...u32(0x40000000), ...u32(256)], [-1, 0.5, 2 ** -23]],
    ['12 bits, high in 16', { bits: 12, bytes: 2 }, u16(0x8000, 0x7ff0), [-1, 2047 / 2048]],
    ['24 bits, high in 32', { bits: 24, bytes: 4 }, [...u32(0x80000000), ...u32(0x00000100)], [-1, 2 ** -23]],
    ['floats of 32 bits as they are', { code: 3, bits: 32 }, floats(0.1, -1.5), [Math.fround(0.1), -1.5]],
    ['floats of 64 bits, rounded', { code: 3, bits: 64 }, doubles(0.1, -1), [Math.fround(0.1), -1]],
    ['extensible PCM', { code: 0xfffe, bits: 24, more: extension(1, 20) }, [0, 0, 0xc0], [-0.5]],
    ['extensible floats', { code: 0xfffe, bits: 32, more: extension(3, 32) }, floats(0.25), [0.25]],
    ['a fmt chunk with a size of its extension', { more: u16(0) }, u16(0x4000), [0.5]],
  ])('reads %s', (_what, fields, data, expected) => {
    expect(samplesOf(riff(format(fields), chunk('data', data)))).toEqual(expected);
  });

  it('mixes channels to their mean', () => {
    const stereo = riff(format({ channels: 2 }), chunk('data', u16(0x4000, 0, 1, 2, 0x8000, 0x8000)));
    expect(readWav(stereo, 'a.wav')).toMatchObject({ channels: 2, frames: 3 });
    expect(samplesOf(stereo)).toEqual([0.25, 1.5 / 32768, -1]);
    const six = riff(format({ channels: 6, bits: 8 }), chunk('data', [128, 128, 128, 128, 128, 128 + 64]));
    expect(samplesOf(six)).toEqual([Math.fround(1 / 12)]);
  });

  it('skips chunks before, between and after, of odd length too', () => {
    const junk = chunk('LIST', [...ascii('INFOISFT'), ...u32(3), 1, 2, 3]);
    const file = riff(junk, chunk('fact', u32(2)), format(), chunk('cue ', [9]), chunk('data', u16(0x4000)), junk);
    expect(samplesOf(file)).toEqual([0.5]);
  });

  it('reads bytes that lie within a larger buffer', () => {
    const file = riff(format(), chunk('data', u16(0x4000, 0xc000)));
    const within = new Uint8Array([1, 2, 3, ...file, 4, 5]).subarray(3, 3 + file.length);
    expect(samplesOf(within)).toEqual([0.5, -0.5]);
  });

  it.each([0xffffffff, 0x7fffffff, 0x7ffff024])('takes size 0x%s as unknown: all up to the end', (size) => {
    expect(samplesOf(riff(format(), chunk('data', u16(0x4000, 0xc000), size)))).toEqual([0.5, -0.5]);
  });

  it('takes size 0 as unknown where the whole has no size either', () => {
    const file = riff(format(), chunk('data', u16(0x4000), 0));
    expect(() => readWav(file, 'a.wav')).toThrow('empty-wav');
    new DataView(file.buffer).setUint32(4, 0, true);
    expect(samplesOf(file)).toEqual([0.5]);
  });

  it('ignores bytes after the last whole frame', () => {
    expect(samplesOf(riff(format({ channels: 2 }), chunk('data', [0, 0x40, 0, 0x40, 7])))).toEqual([0.5]);
    expect(samplesOf(riff(format(), [...ascii('data'), ...u32(0xffffffff), 0, 0x40, 7]))).toEqual([0.5]);
  });

  const sound = chunk('data', u16(1, 2));
  const starting = (...start: number[]): Uint8Array => Uint8Array.from([...start, ...new Array<number>(20).fill(0)]);
  it.each<[string, Uint8Array, RegExp]>([
    [
      'an empty file',
      new Uint8Array(0),
      /^a\.wav error not-wav: the file has 0 bytes; the header of a WAV alone has 12/,
    ],
    ['text', starting(...ascii('hello')), /not-wav: the file does not start with RIFF and WAVE/],
    ['a picture', Uint8Array.from([...ascii('RIFF'), ...u32(4), ...ascii('WEBP')]), /not-wav: the file does not/],
    ['an MP3', starting(...ascii('ID3')), /not-wav: the file is MP3, not WAV\n {2}hint: convert it to PCM/],
    ['an MP3 without a tag', starting(0xff, 0xfb), /not-wav: the file is MP3/],
    ['a FLAC', starting(...ascii('fLaC')), /not-wav: the file is FLAC/],
    ['an AIFF', starting(...ascii('FORM'), 0, 0, 0, 9, ...ascii('AIFF')), /not-wav: the file is AIFF/],
    ['an M4A', starting(0, 0, 0, 32, ...ascii('ftypM4A ')), /not-wav: the file is MP4 or M4A/],
    ['a RIFX', starting(...ascii('RIFX')), /not-wav: the file is a big-endian WAV \(RIFX\)/],
    [
      'mu-law',
      riff(format({ code: 7, bits: 8 }), sound),
      /unsupported-codec: the samples are mu-law \(format code 0x0007/,
    ],
    ['A-law', riff(format({ code: 6, bits: 8 }), sound), /unsupported-codec: the samples are A-law/],
    ['ADPCM', riff(format({ code: 0x11, bits: 4 }), sound), /unsupported-codec: the samples are IMA ADPCM .*0x0011/],
    ['a code of nobody', riff(format({ code: 0x1234 }), sound), /unsupported-codec: the samples are an unknown codec/],
    [
      'extensible mu-law',
      riff(format({ code: 0xfffe, bits: 8, more: extension(7, 8) }), sound),
      /unsupported-codec: the samples are mu-law \(format code 0x0007\), expected PCM or float\n {2}hint: .*ffmpeg/,
    ],
    [
      'another sub-format',
      riff(format({ code: 0xfffe, more: [...extension(1, 16).slice(0, -1), 0] }), sound),
      /unsupported-codec: the samples are of the sub-format/,
    ],
    [
      'a short extension',
      riff(format({ code: 0xfffe, more: u16(0) }), sound),
      /malformed-wav: .*18 bytes, expected 40/,
    ],
    ['data first', riff(sound, format()), /malformed-wav: byte 20: the data comes before the fmt chunk/],
    [
      'a short fmt',
      riff(chunk('fmt ', u16(1, 1)), sound),
      /malformed-wav: byte 20: the fmt chunk has 4 bytes, expected/,
    ],
    ['no channels', riff(format({ channels: 0 }), sound), /malformed-wav: byte 22: 0 channels/],
    ['no rate', riff(format({ rate: 0 }), sound), /malformed-wav: byte 24: a rate of 0/],
    ['16 bits in one byte', riff(format({ bytes: 1 }), sound), /malformed-wav: .*PCM of 16 bits in 1 bytes a sample/],
    ['PCM of 64 bits', riff(format({ bits: 64 }), sound), /malformed-wav: .*PCM of 64 bits in 8 bytes/],
    ['floats of 16 bits', riff(format({ code: 3, bits: 16 }), sound), /malformed-wav: .*floats of 16 bits/],
    ['no data', riff(format()), /truncated-wav: the file ends at byte 36 and has no data chunk/],
    ['no chunk', riff(), /truncated-wav: the file ends at byte 12 and has no fmt and no data chunk/],
    ['an empty sound', riff(format(), chunk('data', [])), /empty-wav: the file has no samples/],
    [
      'more data than there is',
      riff(format(), chunk('data', u16(1, 2), 2000)),
      /truncated-wav: the data chunk has 4 of the 2000 bytes that it claims\n {2}hint: the file was cut short/,
    ],
    ['NaN', riff(format({ code: 3, bits: 32 }), chunk('data', floats(0, NaN))), /bad-sample: sample 1 is NaN/],
    ['more than float32', riff(format({ code: 3, bits: 64 }), chunk('data', doubles(1e300))), /bad-sample: sample 0/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => readWav(bytes, 'a.wav')).toThrow(UserError);
    expect(() => readWav(bytes, 'a.wav')).toThrow(message);
  });

  it('refuses a file cut anywhere, or gives all that its sizes promise', () => {
    const whole = riff(chunk('LIST', [1, 2, 3]), format({ more: u16(0) }), chunk('data', u16(1, 2, 3)));
    for (let length = 0; length < whole.length; length++) {
      expect(() => readWav(whole.slice(0, length), 'cut.wav'), `${length} bytes`).toThrow(UserError);
    }
  });
});

describe('toInt16', () => {
  it('gives every 16-bit sample back', () => {
    const all = Array.from({ length: 65536 }, (_, code) => code);
    const { samples } = readWav(riff(format(), chunk('data', u16(...all))), 'a.wav');
    expect(toInt16(samples)).toEqual(Int16Array.from(all));
  });

  it('rounds half away from zero and stays within 16 bits', () => {
    const found = toInt16(Float32Array.of(1.5 / 32768, -1.5 / 32768, 0.49 / 32768, 1, 7, -7));
    expect([...found]).toEqual([2, -2, 0, 32767, 32767, -32768]);
  });
});

const digit = join(process.env['QPIPE_DATA'] ?? '../shared/data', 'spoken-digits/test/3/3_jackson_1.wav');

describe.skipIf(!existsSync(digit))('a recording (skipped without spoken-digits, set QPIPE_DATA)', () => {
  it('has its samples behind the header of 44 bytes', () => {
    const bytes = readFileSync(digit);
    const wav = readWav(bytes, digit);
    expect(wav).toMatchObject({ rate: 8000, channels: 1, frames: 3756 });
    const expected = Int16Array.from({ length: wav.frames }, (_, index) => bytes.readInt16LE(44 + 2 * index));
    expect(toInt16(wav.samples)).toEqual(expected);
  });
});
