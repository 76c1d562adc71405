/** The models that a pipeline imports, before anything runs. */
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { Purpose } from '../graph/contract.ts';
import { modelDigest } from '../importers/read.ts';
import type { ImportConfig, ImportedNetwork } from '../stages/import.ts';
import { importNetwork } from '../stages/import.ts';
import type { LoadedPipeline } from './load.ts';

/** Something of every import stage, by its name. */
async function ofImports<T>(
  { pipeline, locate }: LoadedPipeline,
  make: (config: ImportConfig) => Promise<T>,
): Promise<ReadonlyMap<string, T>> {
  const made = new Map<string, T>();
  const diagnostics: Diagnostic[] = [];
  for (const { name, config } of pipeline.stages) {
    if (config.uses !== 'import') continue;
    try {
      made.set(name, await make(config));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const place = locate(['stages', name, 'file'], 'value');
      diagnostics.push(...error.diagnostics.map((found) => placed(found, config.file, place)));
    }
  }
  if (diagnostics.length > 0) throw new UserError(diagnostics, 64);
  return made;
}

/** A diagnostic on a model's file, at the line that names the file. */
function placed(found: Diagnostic, file: string, place: Diagnostic['place']): Diagnostic {
  if (found.place.file !== file) return { ...found, place, message: `${found.place.file}: ${found.message}` };
  return { ...found, place };
}

export function modelDigests(loaded: LoadedPipeline): Promise<ReadonlyMap<string, Digest>> {
  return ofImports(loaded, ({ file, format }) => modelDigest(file, format));
}

/** @throws UserError for every model that cannot be imported, or that the data do not fit, at the line of its file */
export function importedNetworks(
  loaded: LoadedPipeline,
  purpose: Purpose,
): Promise<ReadonlyMap<string, ImportedNetwork>> {
  return ofImports(loaded, (config) => importNetwork(config, purpose));
}
