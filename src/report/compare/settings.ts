/** What was set, and where: of a pipeline, and of the machine. */
import type { Json } from '../../core/json.ts';
import type { Setting } from './schema.ts';

export type SettingPath = readonly string[];

/** Finds where a run's pipeline says a setting; null where it does not, because it was filled in. */
export type FindPlace = (path: SettingPath) => string | null;

/** Every setting that some of the pipelines have; `places` are null throughout where no `findPlace` is given. */
export function pairSettings(configs: readonly Json[], findPlaces: readonly (FindPlace | null)[] = []): Setting[] {
  const all = configs.map((config) => leaves(config));
  const paths = new Map(all.flatMap((settings) => [...settings].map(([key, { path }]) => [key, path] as const)));
  return [...paths]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, path]) => ({
      path: path.join('.'),
      values: all.map((settings) => settings.get(key)?.text ?? null),
      places: all.map((settings, run) => (settings.has(key) ? (findPlaces[run]?.(path) ?? null) : null)),
    }));
}

export const differs = ({ values }: { readonly values: readonly (string | null)[] }): boolean =>
  values.some((value) => value !== values[0]);

interface Leaf {
  readonly path: SettingPath;
  /** As JSON. */
  readonly text: string;
}

/** Every value that is not an object, by its path. Lists of plain values are values: their places are not names. */
function leaves(value: Json, path: SettingPath = []): Map<string, Leaf> {
  if (value === null && path.length === 0) return new Map();
  const isList = Array.isArray(value) && !value.some((item) => typeof item === 'object' && item !== null);
  if (typeof value !== 'object' || value === null || isList) {
    return new Map([[JSON.stringify(path), { path, text: JSON.stringify(value) }]]);
  }
  return new Map(Object.entries(value).flatMap(([key, child]) => [...leaves(child, [...path, key])]));
}

/** The shortest ends of the paths that tell them apart, such as `delay` for `stages.qat.delay`. */
export function shortNames(paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const segments = path.split('.');
    const ends = segments.map((_, from) => segments.slice(from).join('.')).toReversed();
    return ends.find((end) => paths.filter((other) => other === end || other.endsWith(`.${end}`)).length === 1) ?? path;
  });
}
