import type { LoadedMatrix } from '../config/load.ts';
import { dataSource } from '../data/config.ts';
import { sourceFiles } from '../data/load.ts';

/** Those of the data of all cells, each once. */
export function filesOf({ cells }: LoadedMatrix): ReturnType<typeof sourceFiles> {
  const files = cells.flatMap(({ loaded }) => sourceFiles(dataSource(loaded.pipeline.data)));
  return [...new Map(files.map((file) => [file.path, file])).values()];
}
