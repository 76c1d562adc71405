/** The table of data sources. */
import { audioFolder } from './audio-folder.ts';
import type { AudioFolderSource } from './audio-folder.ts';
import { cifar10 } from './cifar10.ts';
import type { Cifar10Source } from './cifar10.ts';
import { csv } from './csv.ts';
import type { CsvSource } from './csv.ts';
import type { SourceDefinition } from './define.ts';
import { imageFolder } from './image-folder.ts';
import type { ImageFolderSource } from './image-folder.ts';
import { idx } from './idx.ts';
import type { IdxSource } from './idx.ts';
import { mnist } from './mnist.ts';
import type { MnistSource } from './mnist.ts';
import { npz } from './npz.ts';
import type { NpzSource } from './npz.ts';
import { synthetic } from './synthetic.ts';
import type { SyntheticSource } from './synthetic.ts';

export type DataSource =
  | MnistSource
  | SyntheticSource
  | IdxSource
  | Cifar10Source
  | ImageFolderSource
  | AudioFolderSource
  | CsvSource
  | NpzSource;

export const sources = {
  mnist,
  synthetic,
  idx,
  cifar10,
  image_folder: imageFolder,
  audio_folder: audioFolder,
  csv,
  npz,
} as const satisfies {
  readonly [K in DataSource['kind']]: { readonly kind: K };
};

/** The row of a source. */
export function sourceRow(source: DataSource): SourceDefinition<DataSource> {
  // The table pairs kinds with sources; by index it forgets which.
  return sources[source.kind] as unknown as SourceDefinition<DataSource>;
}
