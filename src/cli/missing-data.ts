import type { LoadedMatrix } from '../config/load.ts';
import { dataSource } from '../data/config.ts';
import { sourceFiles } from '../data/load.ts';

/** Those of the data of all cells, each once. */
export function filesOf({ cells }: LoadedMatrix): ReturnType<typeof sourceFiles> {
  const files = cells.flatMap(({ loaded }) => sourceFiles(dataSource(loaded.pipeline.data)));
  // One that is named twice has its address once.
  const addressFirst = files.toSorted((a, b) => Number(a.download !== undefined) - Number(b.download !== undefined));
  return [...new Map(addressFirst.map((file) => [file.path, file])).values()];
}
