/** What stages read outside of the pipeline and its data, before anything runs. */
import { dirname } from 'node:path';
import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import type { StageConfig } from '../stages/index.ts';
import { definitionOf } from '../stages/job.ts';
import type { LocatedOutside } from '../stages/run.ts';
import type { LoadedPipeline } from './load.ts';
import type { Locate } from './source.ts';

/**
 * Of the stages that read something there, by their names.
 *
 * @throws UserError for all that is missing, at the line that names it
 */
export async function outsideOf({
  pipeline,
  locate,
  origin,
}: LoadedPipeline): Promise<ReadonlyMap<string, LocatedOutside>> {
  const outside = new Map<string, LocatedOutside>();
  const diagnostics: Diagnostic[] = [];
  for (const { name, config } of pipeline.stages) {
    const result = await definitionOf(config).outside(config, dirname(origin.file));
    if (result === null) continue;
    for (const { path, ...mistake } of result.mistakes) {
      diagnostics.push({ ...mistake, place: locate(['stages', name, ...path], 'value') });
    }
    outside.set(name, { ...result.found, places: fieldPlaces(name, config, locate) });
  }
  if (diagnostics.length > 0) throw new UserError(diagnostics, 64);
  return outside;
}

/** Of the fields of a stage, and of those in its maps. */
function fieldPlaces(name: string, config: StageConfig, locate: Locate): Record<string, Place> {
  const places: Record<string, Place> = {};
  for (const [field, value] of Object.entries(config)) {
    places[field] = locate(['stages', name, field], 'value');
    for (const inner of isRecord(value) ? Object.keys(value) : []) {
      places[`${field}.${inner}`] = locate(['stages', name, field, inner], 'value');
    }
  }
  return places;
}
