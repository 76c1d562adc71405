/** Recordings in folders that name their class. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { UserError, userError } from '../../core/diagnostic.ts';
import { key, object } from '../../core/schema.ts';
import { readWav, readWavHeader } from '../../formats/wav.ts';
import { examplesOfClasses, medianOf, spread, tally } from '../facts.ts';
import type { SourceFacts } from '../facts.ts';
import type { ClassFile } from '../class-folders.ts';
import { decodeClassFiles } from '../class-examples.ts';
import { classFolders } from '../class-folders.ts';
import type { DataContent, DecodedData, Split } from '../dataset.ts';
import type { Decoding, ReadFile } from '../decoding/decoding.ts';
import type { PreparedFeatures } from '../features/config.ts';
import { featuresSchema, preparedFeatures } from '../features/config.ts';
import { envelope } from '../envelope.ts';
import { createResampler } from '../features/resample.ts';
import type { Inputs, Sound } from '../inputs.ts';
import type { BrokenFiles } from '../mistakes.ts';
import { brokenFiles, collectBroken, ignoredNotes } from '../mistakes.ts';
import { noiseDigest, readNoise } from '../noise.ts';
import type { PartExamples } from '../part-examples.ts';
import { guessedSplit, makeParts, splitField } from '../parts.ts';
import { standardize } from '../reals.ts';
import { defineSource, sourceFields } from './define.ts';
import type { GuessedSettings } from './define.ts';
import { missingFolder, pathToData, soundAugmentField } from './fields.ts';

const schema = sourceFields('audio_folder', 'WAV files in folders that name their class', {
  path: pathToData(
    'Folder, .zip or .tar of the classes, `<class>/<file>`, or of the parts, `train/<class>/<file>` and `test/…`',
  ),
  audio: object(
    {
      rate: Type.Integer({
        ...key('Samples per second; recordings of another rate are resampled'),
        minimum: 1000,
        maximum: 192_000,
      }),
      seconds: Type.Number({
        ...key('Length of an example: longer recordings are cut at their end, shorter ones end in silence'),
        exclusiveMinimum: 0,
        maximum: 60,
      }),
    },
    key('How recordings become examples of one length'),
  ),
  features: featuresSchema,
  split: splitField,
  broken: brokenFiles,
  augment: soundAugmentField,
});

export type AudioFolderSource = {
  readonly kind: 'audio_folder';
  /** Whether recordings are kept beside their features, since training changes them. */
  readonly keepsSound: boolean;
  /** Folder of recordings to mix in; null for none. */
  readonly noise: string | null;
} & Pick<Static<typeof schema>, 'path' | 'audio' | 'features' | 'split' | 'broken'>;

const isRecording = (name: string): boolean => name.endsWith('.wav');

export const audioFolder = defineSource({
  kind: 'audio_folder',
  schema,
  from: ({ path, audio, features, split, broken, augment }): AudioFolderSource => ({
    ...{ kind: 'audio_folder', path, audio, features, split, broken },
    keepsSound: augment.gain > 0 || augment.time_shift > 0 || augment.background !== undefined,
    noise: augment.background?.path ?? null,
  }),
  tree: ({ path }) => path,
  files: () => [],
  unreadable: 'make the file readable, or take it out of the folder',
  missing: { kind: 'together', field: 'path', hint: missingFolder },
  knownSize: () => null,
  // Plain JSON by construction.
  recipe: ({ audio, features, split, broken, keepsSound, noise }) => ({
    ...{ audio, features, split, broken, keepsSound },
    ...(noise !== null && { noise: noiseDigest(noise) }),
  }),
  decode: decodeFolder,
  readFile: recordingReader,
  describe,
  guess: { what: 'WAV files in class folders', accepts: isRecording, settings: guessSettings },
});

async function decodeFolder(
  source: AudioFolderSource,
  contents: ReadonlyMap<string, DataContent>,
  decoding: Decoding,
): Promise<DecodedData> {
  const { path, audio, features: config, split } = source;
  const features = featuresOf(source);
  const [frames, bins] = features.shape;
  const folders = classFolders(path, contents, isRecording);
  const broken = collectBroken(source.broken);
  const rates = new Map<number, string>();
  const waves = new Map<string, string>();
  const size = frames * bins + (source.keepsSound ? samplesOf(source) : 0);
  const what = { path, folders, broken, kind: 'reals', size } as const;
  const decoded = await decodeClassFiles(decoding, what, (fact, { name }) => {
    const { rate, wave } = fact as unknown as RecordingFact; // of `recordingReader`
    if (!rates.has(rate)) rates.set(rate, name);
    waves.set(name, wave);
  });
  const given = source.keepsSound ? withSound(source, frames * bins, decoded) : decoded;
  const { notes, ...divided } = await makeParts(given, split, decoding.turn);
  const parts = { ...divided, test: withWaves(divided.test, waves) };
  return {
    ...{ name: path, classNames: folders.classNames, image: { height: frames, width: bins, channels: 1 } },
    notes: [...ignoredNotes(folders.ignored), ...broken.notes(), ...rateNotes(rates, audio.rate), ...notes],
    // Plain JSON by construction.
    decoding: { audio, features: config },
    ...(features.range === null
      ? await standardize([config.kind], parts, decoding.turn)
      : { ...parts, reals: { range: features.range, channels: [{ name: config.kind, mean: 0, deviation: 1 }] } }),
  };
}

const wrongFeatures = { code: 'wrong-features', place: { file: 'data.features' } };

const samplesOf = ({ audio }: AudioFolderSource): number => Math.round(audio.rate * audio.seconds);

/** @throws UserError where they cannot be computed from recordings of this length */
function featuresOf(source: AudioFolderSource): PreparedFeatures {
  const { rate } = source.audio;
  const length = samplesOf(source);
  const features = preparedFeatures(source.features, length, rate);
  if (!('problems' in features)) return features;
  const hint = `the recordings have ${rate} samples a second and ${length} in all`;
  throw new UserError(features.problems.map((message) => ({ ...wrongFeatures, message, hint })));
}

/** What is said of a recording. */
interface RecordingFact {
  readonly rate: number;
  readonly wave: string;
}

/** Only those that are tested are shown to people. */
const withWaves = (test: Split, waves: ReadonlyMap<string, string>): Split =>
  test.names === undefined ? test : { ...test, waves: test.names.map((name) => waves.get(name) ?? '') };

/** Reads one recording and computes its features. */
function recordingReader(source: AudioFolderSource): ReadFile {
  const { rate } = source.audio;
  const length = samplesOf(source);
  const features = featuresOf(source);
  const resamplers = new Map<number, (samples: Float32Array) => Float32Array>();
  return ({ bytes, path }) => {
    const wav = readWav(bytes, path);
    if (wav.frames === 0) {
      throw userError(path, 'empty-recording', 'the recording has no samples', 'take it out of the folder');
    }
    if (wav.samples.some((sample) => !Number.isFinite(sample))) {
      throw userError(path, 'wrong-sample', 'a sample is not a finite number', 'write the file again');
    }
    const resample = resamplers.get(wav.rate) ?? createResampler(wav.rate, rate);
    resamplers.set(wav.rate, resample);
    const samples = new Float32Array(length);
    samples.set(resample(wav.samples).subarray(0, length));
    const values = features.compute(samples);
    const fact = { rate: wav.rate, wave: Buffer.from(envelope(samples)).toString('base64') };
    if (!source.keepsSound) return { values, fact };
    const row = new Float32Array(values.length + length);
    row.set(values);
    row.set(samples, values.length);
    return { values: row, fact };
  };
}

type Given = Parameters<typeof makeParts>[0];

/** Of rows that hold the features, then the recording. */
function withSound(source: AudioFolderSource, size: number, given: Given): Given {
  const samples = samplesOf(source);
  const { rate } = source.audio;
  const noise = source.noise === null ? null : readNoise(source.noise, rate);
  const sound: Sound = { from: size, samples, rate, features: source.features, noise };
  const changed = (part: PartExamples): PartExamples => {
    const inputs: Inputs = { ...part.split.inputs, size, row: { length: size + samples, from: 0 }, sound };
    return { ...part, split: { ...part.split, inputs } };
  };
  return Object.fromEntries(Object.entries(given).map(([part, examples]) => [part, changed(examples)]));
}

function rateNotes(rates: ReadonlyMap<number, string>, rate: number): string[] {
  const others = [...rates].filter(([other]) => other !== rate);
  if (others.length === 0) return [];
  const shown = others.map(([other, name]) => `${other} Hz (${name})`).join(', ');
  return [`recordings of another rate are resampled to ${rate} Hz: ${shown}`];
}

interface Recording {
  readonly name: string;
  /** Samples a second. */
  readonly rate: number;
  readonly channels: number;
  readonly seconds: number;
}

function recordingsOf(files: readonly ClassFile[], broken: BrokenFiles): Recording[] {
  const recordings = files.flatMap(({ name, content }) => {
    const header = broken.attempt(name, () => readWavHeader(content.bytes, content.path));
    return header === null ? [] : [{ ...header, name, seconds: header.frames / header.rate }];
  });
  broken.check();
  return recordings;
}

function describe({ path, audio, broken }: AudioFolderSource, contents: ReadonlyMap<string, DataContent>): SourceFacts {
  const folders = classFolders(path, contents, isRecording);
  const recordings = recordingsOf(Object.values(folders.files).flat(), collectBroken(broken));
  const longer = recordings.filter(({ seconds }) => seconds > audio.seconds).length;
  const shorter = recordings.filter(({ seconds }) => seconds < audio.seconds).length;
  const { length } = recordings;
  return {
    exampleFiles: examplesOfClasses(folders),
    tallies: [
      tally(
        'rate',
        recordings.map(({ name, rate }) => ({ name, value: `${rate} Hz` })),
      ),
      tally(
        'channels',
        recordings.map(({ name, channels }) => ({ name, value: String(channels) })),
      ),
    ],
    spreads: [
      spread(
        'length',
        's',
        recordings.map(({ name, seconds }) => ({ name, value: seconds })),
      ),
    ],
    notes: [
      ...(longer > 0 ? [`${are(longer, length)} longer than ${audio.seconds} s: the end is left out`] : []),
      ...(shorter > 0 ? [`${are(shorter, length)} shorter than ${audio.seconds} s: silence is added`] : []),
    ],
  };
}

const are = (some: number, all: number): string => `${some} of ${all} recordings ${some === 1 ? 'is' : 'are'}`;

const highestGuess = 16_000;
/** Seconds; lengths are rounded up to a multiple. */
const lengthStep = 0.5;
const longestGuess = 10;
const wholeShare = 0.9;

function guessSettings(path: string, contents: ReadonlyMap<string, DataContent>): GuessedSettings {
  const { files } = classFolders(path, contents, isRecording);
  const recordings = recordingsOf(Object.values(files).flat(), collectBroken('refuse'));
  const rates = recordings.map(({ rate }) => rate).sort((a, b) => a - b);
  const lengths = recordings.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const usual = medianOf(rates);
  const whole = lengths[Math.floor(wholeShare * (lengths.length - 1))] ?? lengthStep;
  const seconds = Math.min(longestGuess, Math.max(lengthStep, lengthStep * Math.ceil(whole / lengthStep)));
  return {
    found: [
      `half of the recordings have at least ${usual} samples a second`,
      `nine of ten recordings last ${Number(whole.toPrecision(3))} s or less`,
    ],
    lines: [
      {
        yaml: `audio: { rate: ${Math.min(highestGuess, usual)}, seconds: ${seconds} }`,
        comment: 'recordings are resampled, and cut or filled with silence to this length',
      },
      {
        yaml: 'features: { kind: log_mel, num_mel_bins: 40 }',
        comment: '`micro_frontend` is what TensorFlow Lite Micro computes on a device',
      },
      ...guessedSplit(files),
    ],
  };
}
