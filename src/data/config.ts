import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Static } from '@sinclair/typebox';
import { present } from '../core/assert.ts';
import type { Augmentation } from './augment.ts';
import type { NormalizeConfig } from './normalize.ts';
import { discriminated, key } from '../core/schema.ts';
import type { SourceDefinition } from './sources/define.ts';
import { sources } from './sources/index.ts';
import type { DataSource } from './sources/index.ts';

export const dataSchema = discriminated(
  'source',
  [
    sources.mnist.schema,
    sources.synthetic.schema,
    sources.idx.schema,
    sources.cifar10.schema,
    sources.image_folder.schema,
    sources.audio_folder.schema,
    sources.csv.schema,
    sources.npz.schema,
  ],
  key('Examples for training and testing'),
);

/** Everything present; `scale` is a number and paths are absolute. */
export type DataConfig = Static<typeof dataSchema>;

/** A source whose schema is not in the list above does not compile. */
export type SourceKind = Listed<DataSource['kind']>;
type Listed<K extends DataConfig['source']> = K;

/**
 * Fills in the path of a data set for which the pipeline gives none: the first folder that has it, else the first. A
 * relative path that leads nowhere from the pipeline file is looked up in the same folders.
 *
 * @param dataFolders absolute paths of folders of data sets, at least one
 * @param folder of the pipeline file, from which its relative paths start
 */
export function completeData(written: DataConfig, dataFolders: readonly string[], folder: string): DataConfig {
  if (written.source === 'cifar10' && !Object.hasOwn(written, 'path')) {
    const places = dataFolders.map((place) => join(place, written.source));
    return { ...written, path: places.find((place) => existsSync(place)) ?? present(places[0], 'a data folder') };
  }
  if (written.source === 'idx' || written.source === 'synthetic') return written;
  const { path } = written;
  if (path === undefined || existsSync(path)) return written;
  const name = relative(folder, path);
  const found = dataFolders.map((place) => join(place, name)).find((place) => existsSync(place));
  return found === undefined ? written : { ...written, path: found };
}

/** What the fields of `data` say beside the examples. */
export interface DataSettings {
  /** Training examples to set aside; null where the source divides its examples itself. */
  readonly validation: number | null;
  /** Null where inputs are real values, of which the data set knows the range. */
  readonly normalize: NormalizeConfig | null;
  readonly augment: Augmentation;
}

export function dataSettings(config: DataConfig): DataSettings {
  return {
    validation: 'validation' in config ? config.validation : null,
    normalize: 'normalize' in config ? config.normalize : null,
    augment: 'augment' in config ? augmentation(config.augment) : { crop: 0, flip: false },
  };
}

type AugmentConfig = Extract<DataConfig, { augment: unknown }>['augment'];

/** Without the path of noise, which belongs to what is loaded. */
function augmentation(config: AugmentConfig): Augmentation {
  if (!('gain' in config)) return config;
  const { background, ...others } = config;
  return background === undefined
    ? others
    : { ...others, background: { snr: background.snr, share: background.share } };
}

/** What to load, without how to split and normalize it. */
export function dataSource(config: DataConfig): DataSource {
  // The table pairs kinds with configs; by index it forgets which.
  return (sources[config.source] as unknown as SourceDefinition<DataSource, typeof dataSchema>).from(config);
}
