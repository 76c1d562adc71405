/** Recordings that are mixed into others. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { isSystemFile, openTree } from '../formats/archive.ts';
import { readWav } from '../formats/wav.ts';
import { createResampler } from './features/resample.ts';

/** Seconds of noise that are kept; all of it is in memory while a network trains. */
const mostSeconds = 1200;

/**
 * All WAV files of a folder or an archive, in natural order of their names, one after the other: at most 20 minutes.
 *
 * @param rate samples a second of the result
 * @throws UserError `no-noise` where there is none, and what `openTree` and `readWav` throw
 */
export function readNoise(path: string, rate: number): Float32Array {
  const pieces: Float32Array[] = [];
  let length = 0;
  eachRecording(path, (bytes, file) => {
    const wav = readWav(bytes, file);
    const samples = createResampler(wav.rate, rate)(wav.samples).subarray(0, mostSeconds * rate - length);
    pieces.push(samples);
    length += samples.length;
  });
  const noise = new Float32Array(length);
  let at = 0;
  for (const piece of pieces) {
    noise.set(piece, at);
    at += piece.length;
  }
  if (noise.some((sample) => sample !== 0)) return noise;
  throw userError(path, 'no-noise', 'there is no WAV file that is not silent', 'give a folder of recordings of noise');
}

/** Of the files, hexadecimal. */
export function noiseDigest(path: string): string {
  const hash = createHash('sha256');
  eachRecording(path, (bytes) => hash.update(createHash('sha256').update(bytes).digest()));
  return hash.digest('hex');
}

function eachRecording(path: string, visit: (bytes: Uint8Array, file: string) => void): void {
  const { files, read, close } = openTree(path);
  try {
    for (const { name } of files()) {
      if (!isSystemFile(name) && name.toLowerCase().endsWith('.wav')) visit(read(name), join(path, name));
    }
  } finally {
    close();
  }
}
