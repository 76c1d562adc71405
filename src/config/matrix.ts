/** `matrix` of a pipeline: axes of settings and their values, and a cell for every choice of one value an axis. */
import { isDeepStrictEqual } from 'node:util';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Json } from '../core/json.ts';
import { isRecord } from '../core/schema.ts';
import type { Override, Setting } from './overrides.ts';
import { begins } from './overrides.ts';
import type { Locate, Path } from './source.ts';

/** A setting that differs from cell to cell. */
export interface Axis {
  /** As written, `stages.qat.scheme`. */
  readonly setting: string;
  readonly path: Path;
  /** As much of the end of `setting` as tells it from the other axes: `scheme`. */
  readonly name: string;
  /** Each once, in the order of the file. */
  readonly values: readonly Json[];
  /** A word for each value, safe in the name of a folder and unlike the others. */
  readonly labels: readonly string[];
}

/** One value of each axis, by index. */
export type Choices = readonly number[];

export const mostCells = 1000;

/**
 * Reads the axes.
 *
 * @param written the value of `matrix`; nothing, or an empty map, is a matrix of one cell
 * @param overrides of the command line, which win: an axis that one of them sets is left out
 */
export function readAxes(
  written: unknown,
  overrides: readonly Override[],
  locate: Locate,
): { axes: Axis[]; diagnostics: Diagnostic[] } {
  if (written === undefined || written === null) return { axes: [], diagnostics: [] };
  const place = locate(['matrix'], 'value');
  const code = 'bad-matrix';
  if (!isRecord(written)) {
    const found = Array.isArray(written) ? 'a list' : JSON.stringify(written);
    const message = `\`matrix\` is ${found}; expected a map from settings to lists of their values`;
    return { axes: [], diagnostics: [{ code, place, message, hint: 'for example `matrix: { seed: [1, 2, 3] }`' }] };
  }
  const diagnostics: Diagnostic[] = Object.entries(written).flatMap(([setting, values]) =>
    axisMistakes(setting, values, locate).concat(overlapMistakes(setting, Object.keys(written), locate)),
  );
  if (diagnostics.length > 0) return { axes: [], diagnostics };
  const settings = Object.keys(written).filter((setting) => {
    const path = setting.split('.');
    return !overrides.some((override) => begins(path, override.path));
  });
  const axes = settings.map((setting): Axis => {
    const values = written[setting] as readonly Json[]; // A list, as was checked; what is no JSON fits no schema.
    return { setting, path: setting.split('.'), name: nameOf(setting, settings), values, labels: labelsOf(values) };
  });
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (count <= mostCells) return { axes, diagnostics };
  const factors = axes.map(({ values }) => values.length).join(' × ');
  const message = `the matrix has ${count.toLocaleString('en-US')} cells (${factors}); expected at most ${mostCells.toLocaleString('en-US')}`;
  return {
    axes: [],
    diagnostics: [{ code, place, message, hint: 'leave values out, or run parts of it with `--set`' }],
  };
}

/** Every choice of one value an axis; the last axis changes fastest. */
export function cellsOf(axes: readonly Axis[]): Choices[] {
  return axes.reduce<Choices[]>(
    (cells, { values }) => cells.flatMap((cell) => values.map((_, index) => [...cell, index])),
    [[]],
  );
}

/** What a cell sets. Values are copied, since defaults are filled into them. */
export function settingsOf(axes: readonly Axis[], cell: Choices, locate: Locate): Setting[] {
  return axes.map(({ setting, path, values }, index) => ({
    path,
    value: structuredClone(values[cell[index] ?? 0]),
    said: `the axis \`${setting}\` of \`matrix\``,
    place: locate(['matrix', setting], 'key'),
  }));
}

/** Places what a cell has set, and what is in it, among the values of `matrix`. */
export function locateInCell(
  axes: readonly Axis[],
  cell: Choices,
  inFile: Locate,
  exists: (path: Path) => boolean,
): Locate {
  return (path, part) => {
    const index = axes.findIndex((axis) => begins(path, axis.path) || (begins(axis.path, path) && !exists(path)));
    const axis = axes[index];
    if (axis === undefined) return inFile(path, part);
    const rest = path.slice(axis.path.length);
    if (path.length < axis.path.length || (rest.length === 0 && part === 'key')) {
      return inFile(['matrix', axis.setting], 'key');
    }
    return inFile(['matrix', axis.setting, String(cell[index]), ...rest], part);
  };
}

/** `seed=1`, `scheme=int8`: the choices of those axes that `named` takes. */
export function choiceTexts(
  axes: readonly Axis[],
  cell: Choices,
  named: (axis: Axis, index: number) => boolean,
): string[] {
  return axes.flatMap((axis, index) => (named(axis, index) ? [`${axis.name}=${labelAt(axis, cell, index)}`] : []));
}

const labelAt = (axis: Axis, cell: Choices, index: number): string =>
  present(axis.labels[cell[index] ?? 0], 'the label of a value');

export const varies = ({ values }: Pick<Axis, 'values'>): boolean => values.length > 1;

/**
 * Says once what was found in several cells: as it is when it was found in all of them, else with the cells.
 *
 * @param found of each cell
 */
export function mergeFound(
  axes: readonly Axis[],
  cells: readonly Choices[],
  found: readonly (readonly Diagnostic[])[],
): Diagnostic[] {
  const places = new Map<string, { readonly diagnostic: Diagnostic; readonly cells: Set<number> }>();
  for (const [cell, diagnostics] of found.entries()) {
    for (const diagnostic of diagnostics) {
      const key = JSON.stringify(diagnostic);
      const known = places.get(key) ?? { diagnostic, cells: new Set<number>() };
      known.cells.add(cell);
      places.set(key, known);
    }
  }
  return Array.from(places.values(), ({ diagnostic, cells: where }) =>
    where.size === cells.length
      ? diagnostic
      : { ...diagnostic, message: `${diagnostic.message} (${whereText(axes, cells, [...where])})` },
  );
}

/** `in the cells with seed=1`, or how many they are where no such words describe them. */
function whereText(axes: readonly Axis[], all: readonly Choices[], where: readonly number[]): string {
  const chosen = where.map((cell) => present(all[cell], 'a cell'));
  const [first = []] = chosen;
  const common = (axis: Axis, index: number): boolean =>
    varies(axis) && chosen.every((cell) => cell[index] === first[index]);
  const like = all.filter((cell) => axes.every((axis, index) => !common(axis, index) || cell[index] === first[index]));
  const of = where.length === 1 ? 'in the cell' : 'in the cells';
  if (like.length === chosen.length) return `${of} with ${choiceTexts(axes, first, common).join(' and ')}`;
  return `in ${where.length} of ${all.length} cells; the first is ${choiceTexts(axes, first, varies).join(', ')}`;
}

const fixedSettings: readonly string[] = ['matrix', 'version', 'name', 'description'];

function axisMistakes(setting: string, values: unknown, locate: Locate): Diagnostic[] {
  const code = 'bad-matrix';
  const atKey = (message: string, hint: string): Diagnostic[] => [
    { code, place: locate(['matrix', setting], 'key'), message, hint },
  ];
  if (!/^[A-Za-z][A-Za-z0-9_-]*([.][A-Za-z0-9][A-Za-z0-9_-]*)*$/.test(setting)) {
    return atKey(`\`${setting}\` is no path of a setting`, 'for example `seed` or `stages.qat.scheme`');
  }
  const [first = ''] = setting.split('.');
  if (fixedSettings.includes(first)) {
    return atKey(`\`${first}\` cannot differ from cell to cell`, 'it says what the whole file is');
  }
  if (!Array.isArray(values)) {
    const inside = isRecord(values) ? Object.keys(values)[0] : undefined;
    const hint =
      inside === undefined
        ? `for example \`${setting}: [1, 2]\`; what is the same in all cells is set where it belongs`
        : `write the path with dots: \`${setting}.${inside}\``;
    const found = isRecord(values) ? 'a map' : values === null ? 'empty' : JSON.stringify(values);
    return atKey(`\`matrix.${setting}\` is ${found}; expected a list of values`, hint);
  }
  if (values.length === 0) return atKey(`\`matrix.${setting}\` is an empty list`, 'name at least one value');
  return values.flatMap((value, index): Diagnostic[] => {
    const earlier = values.findIndex((other) => isDeepStrictEqual(other, value));
    if (earlier === index) return [];
    const place = locate(['matrix', setting, String(index)], 'value');
    const message = `\`matrix.${setting}\` has the same value twice, as items ${earlier} and ${index}`;
    return [{ code, place, message, hint: 'remove one of the two' }];
  });
}

/** Of two axes one of which is inside the other, it is reported for the outer one. */
function overlapMistakes(setting: string, all: readonly string[], locate: Locate): Diagnostic[] {
  return all
    .filter((other) => other.startsWith(`${setting}.`))
    .map((inner) => ({
      code: 'bad-matrix',
      place: locate(['matrix', inner], 'key'),
      message: `the axes \`${setting}\` and \`${inner}\` set the same value`,
      hint: `vary \`${setting}\` as a whole, or settings inside it`,
    }));
}

/** The last words of a path that no other axis ends with; an index of a list needs the word before it. */
function nameOf(setting: string, all: readonly string[]): string {
  const words = setting.split('.');
  for (let count = 1; count < words.length; count++) {
    const name = words.slice(-count).join('.');
    const isShared = all.some((other) => other !== setting && `.${other}`.endsWith(`.${name}`));
    if (!isShared && !/^\d/.test(name)) return name;
  }
  return setting;
}

const longestLabel = 24;

/** Scalars are their own words, maps their kind; where that leaves two alike, they have numbers: `v1`, `v2`. */
function labelsOf(values: readonly Json[]): string[] {
  const words = values.map((value) => {
    const text = typeof value === 'object' && value !== null ? wordOf(value) : String(value);
    const safe = text?.replace(/[^A-Za-z0-9.+-]+/g, '_').replace(/^_+|_+$/g, '') ?? '';
    return safe.length > longestLabel ? '' : safe;
  });
  return words.map((word, index) => {
    const alike = words.filter((other) => other.toLowerCase() === word.toLowerCase()).length;
    return word === '' || alike > 1 ? `v${index + 1}` : word;
  });
}

/** Of a map its kind, of a list of scalars all of them. */
function wordOf(value: Extract<Json, object>): string | null {
  if (isRecord(value)) {
    const [word] = ['kind', 'preset', 'source', 'uses'].flatMap((key) => value[key] ?? []);
    return typeof word === 'string' ? word : null;
  }
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.every((item) => typeof item !== 'object') ? items.join('_') : null;
}
