import { describe, expect, it } from 'vitest';
import { readBytes, unpack } from '../../src/formats/bytes.ts';

// python3: gzip.compress(b'qpipe', mtime=0)
const packed = Uint8Array.from(Buffer.from('1f8b08000000000002032b2cc82c48050070824e3c05000000', 'hex'));

describe('files as bytes', () => {
  it('a missing file is a user error with the name and the remedy', () => {
    expect(() => readBytes('no/such/file.gz', 'download it')).toThrow(
      'no/such/file.gz error unreadable-file: there is no such file (ENOENT)\n  hint: download it',
    );
  });

  it('unpacks gzip and leaves other bytes alone', () => {
    expect(Buffer.from(unpack(packed, 'a.gz', '')).toString()).toBe('qpipe');
    expect(unpack(Uint8Array.of(1, 2), 'a', '')).toEqual(Uint8Array.of(1, 2));
  });

  it('refuses gzip that was cut short or changed in its data or its checksum', () => {
    for (let length = 2; length < packed.length; length++) {
      expect(() => unpack(packed.slice(0, length), 'a.gz', 'download it')).toThrow(
        /a\.gz error damaged-gzip: .*\n.*download/,
      );
    }
    for (let byte = 10; byte < packed.length; byte++) {
      const flipped = packed.slice();
      flipped[byte]! ^= 1;
      expect(() => unpack(flipped, 'a.gz', 'download it')).toThrow('damaged-gzip');
    }
  });
});
