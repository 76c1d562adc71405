/** The cells of a matrix side by side: what each reached, how far seeds spread, and which is the best beyond chance. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { present } from '../core/assert.ts';
import { object } from '../core/schema.ts';
import { counted } from '../core/words.ts';
import { nullable } from '../measurements/metrics.ts';
import type { MatrixRecord } from '../runner/record.ts';
import { percent, points, probability, significant } from './format.ts';
import type { Spread } from './statistics.ts';
import { holm, mcnemarExact, pairedT, spreadOf } from './statistics.ts';

const amount = (description: string) => nullable(Type.Number({ description }));

const measureProperties = {
  kind: Type.Union([Type.Literal('accuracy'), Type.Literal('error'), Type.Literal('score')]),
  measure: Type.String({
    description:
      'what was measured, such as `top-1`; of a network with several outputs with the name of the output before it',
  }),
  float: amount('of the float model'),
  fake_quant: amount('of the model with fake quantizers'),
  int8: Type.Number({ description: 'of the .tflite file' }),
  loss: amount('from float to int8: the drop of an accuracy or score, the rise of an error as a fraction of it'),
};

const CellMeasure = object(measureProperties);
export type CellMeasure = Static<typeof CellMeasure>;

const Row = object({
  cell: Type.String({ description: 'its name' }),
  labels: Type.Array(Type.String(), { description: 'the values of `axes`' }),
  called: Type.String({ description: 'name of the test stage in the pipeline' }),
  test: Type.String({ description: 'its name in the run; cells may share it' }),
  ...measureProperties,
  others: Type.Optional(
    Type.Array(CellMeasure, { description: 'of the other outputs of the network; what is above is of the first' }),
  ),
  bytes: Type.Integer({ description: 'of the .tflite file' }),
  gates: object({ met: Type.Integer(), all: Type.Integer(), unmet: Type.Array(Type.String()) }),
});

const SpreadSchema = object(
  {
    n: Type.Integer(),
    mean: Type.Number(),
    deviation: nullable(Type.Number({ description: 'standard deviation, by n - 1; null for a single value' })),
    low: Type.Number(),
    high: Type.Number(),
  },
  { description: 'over the seeds' },
);

const Group = object({
  name: Type.String({ description: 'the values that its cells share; empty where only seeds differ' }),
  labels: Type.Array(Type.String(), { description: 'the values of the axes that are not seeds' }),
  called: Type.String({ description: 'name of the test stage in the pipeline' }),
  kind: Row.properties.kind,
  measure: Type.String(),
  cells: Type.Array(Type.String()),
  float: nullable(SpreadSchema),
  fake_quant: nullable(SpreadSchema),
  int8: SpreadSchema,
  loss: nullable(SpreadSchema),
});

const Lead = object({
  over: Type.String({ description: 'a cell, or a group of cells that differ only in their seeds' }),
  difference: Type.Number({ description: 'of int8, positive where the best is better' }),
  p: amount('two-sided, corrected for the number of comparisons; null where it cannot be said'),
  beyondChance: Type.Boolean(),
});

const Best = object({
  name: Type.String({ description: 'the cell, or the group of cells, with the best int8' }),
  test: Type.String({ description: 'of the cell, or of the best cell of the group' }),
  pairedBy: Type.Union([Type.Literal('examples'), Type.Literal('seeds')], {
    description: 'what was compared: int8 on the same test examples, or trainings with the same seed',
  }),
  leads: Type.Array(Lead, { description: 'over all others' }),
});

export const MatrixReport = object({
  axes: Type.Array(object({ setting: Type.String(), name: Type.String(), isSeed: Type.Boolean() }), {
    description: 'those with several values',
  }),
  rows: Type.Array(Row, { description: 'a test of a cell each' }),
  untested: Type.Array(Type.String(), { description: 'cells whose test stage has no result' }),
  groups: Type.Array(Group, { description: 'cells that differ only in their seeds; none where no seed varies' }),
  best: nullable(Best),
  sentence: Type.String(),
});
export type MatrixReport = Static<typeof MatrixReport>;
export type MatrixRow = MatrixReport['rows'][number];
export type MatrixGroup = MatrixReport['groups'][number];
type BestCell = NonNullable<MatrixReport['best']>;

/** What the tests are that stand side by side. */
export type CellNoun = 'cell' | 'branch';

/** What is looked at of a test. */
export interface CellTest extends Omit<MatrixRow, 'cell' | 'labels' | 'called'> {
  /** Of every example; left out by records of other versions. */
  readonly outcomes: string | undefined;
  /** Digest of what it was tested on. */
  readonly examples: string | null;
  /** Of its gates: `drop_max at most 5.00 pp`. */
  readonly limits: readonly string[];
}

/** @param noun what a cell is called: those of a pipeline with several tests are its branches */
export function matrixReport(
  { axes, cells }: MatrixRecord,
  tests: readonly CellTest[],
  noun: CellNoun = 'cell',
): MatrixReport {
  const byStage = new Map(tests.map((test) => [test.test, test]));
  const varying = axes.flatMap((axis, index) => (axis.labels.length > 1 ? [{ ...axis, index }] : []));
  const rows = cells.flatMap((cell) =>
    Object.entries(cell.stages).flatMap(([called, stage]): MatrixRow[] => {
      const found = byStage.get(stage);
      if (found === undefined) return [];
      const { outcomes: _outcomes, examples: _examples, limits: _limits, ...test } = found;
      const labels = varying.map(({ labels: words, index }) => words[cell.choices[index] ?? 0] ?? '');
      return [{ cell: cell.name, labels, called, ...test }];
    }),
  );
  const tested = new Set(rows.map(({ cell }) => cell));
  const named = varying.map(({ setting, name }) => ({
    setting,
    name,
    isSeed: noun === 'cell' && setting.split('.').at(-1) === 'seed',
  }));
  const several = new Set(rows.map(({ called }) => called)).size > 1;
  const groups = named.some(({ isSeed }) => isSeed) ? groupsOf(rows, named, several) : [];
  const outcomes = (row: MatrixRow) => {
    const { outcomes: text, examples } = present(byStage.get(row.test), 'a test');
    return { values: outcomesOf(text), examples };
  };
  const seedsOf = ({ labels }: MatrixRow): string =>
    JSON.stringify(labels.filter((_, index) => named[index]?.isSeed === true));
  const best = groups.length > 0 ? bestOfGroups(groups, rows, seedsOf) : bestCell(rows, several, outcomes);
  const untested = cells.flatMap(({ name }) => (tested.has(name) ? [] : [name]));
  const found = { axes: named, rows, untested, groups, best };
  const limits = [...new Set(tests.flatMap((test) => test.limits))];
  return { ...found, sentence: sentenceOf(found, cells.length, noun, limits) };
}

function groupsOf(rows: readonly MatrixRow[], axes: MatrixReport['axes'], several: boolean): MatrixGroup[] {
  const isOther = (index: number): boolean => axes[index]?.isSeed === false;
  const groups = new Map<string, MatrixRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.called, row.kind, row.measure, row.labels.filter((_, index) => isOther(index))]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((same): MatrixGroup => {
    const { labels, called, kind, measure } = present(same[0], 'a row');
    const others = labels.flatMap((label, index) => (isOther(index) ? [{ label, name: axes[index]?.name ?? '' }] : []));
    const settings = others.map(({ name, label }) => `${name}=${label}`);
    const over = (read: (row: MatrixRow) => number | null): Spread | null => {
      const values = same.flatMap((row) => read(row) ?? []);
      return values.length === 0 ? null : spreadOf(values);
    };
    return {
      name: [...settings, ...(several ? [called] : [])].join(', '),
      labels: others.map(({ label }) => label),
      ...{ called, kind, measure, cells: same.map(({ cell }) => cell) },
      float: over((row) => row.float),
      fake_quant: over((row) => row.fake_quant),
      int8: spreadOf(same.map((row) => row.int8)),
      loss: over((row) => row.loss),
    };
  });
}

/** The settings of the best, of which there are trainings with several seeds; undefined where there is one. */
export function bestGroup(matrix: MatrixReport | undefined): MatrixGroup | undefined {
  const group = matrix?.groups.find(({ name }) => name === matrix.best?.name);
  return group === undefined || group.int8.n < 2 ? undefined : group;
}

/** Positive where `a` is better. */
const gain = (kind: MatrixRow['kind'], a: number, b: number): number => (kind === 'error' ? b - a : a - b);

/** The first of the best; null where not all measure the same. */
function bestOf<T extends Pick<MatrixRow, 'kind' | 'measure'>>(all: readonly T[], value: (one: T) => number): T | null {
  const [first, ...others] = all;
  if (first === undefined || others.some(({ kind, measure }) => kind !== first.kind || measure !== first.measure)) {
    return null;
  }
  return others.reduce((best, one) => (gain(first.kind, value(one), value(best)) > 0 ? one : best), first);
}

/** Of several. */
export const cellNouns = { cell: 'cells', branch: 'branches' } as const;

const significance = 0.05;

function withLeads(
  best: Omit<BestCell, 'leads'>,
  leads: readonly { readonly over: string; readonly difference: number; readonly p: number | null }[],
): BestCell {
  const known = leads.flatMap(({ p }) => p ?? []);
  const corrected = holm(known);
  let next = 0;
  return {
    ...best,
    leads: leads.map(({ over, difference, p }) => {
      const together = p === null ? null : (corrected[next++] ?? null);
      return { over, difference, p: together, beyondChance: together !== null && together < significance };
    }),
  };
}

function bestCell(
  rows: readonly MatrixRow[],
  several: boolean,
  outcomes: (row: MatrixRow) => { readonly values: Float32Array; readonly examples: string | null },
): BestCell | null {
  const best = bestOf(rows, ({ int8 }) => int8);
  if (best === null) return null;
  const nameOf = ({ cell, called }: MatrixRow): string => (several ? `${cell}, ${called}` : cell);
  const ours = outcomes(best);
  const leads = rows.flatMap((row) => {
    if (row === best) return [];
    const theirs = outcomes(row);
    const same = ours.examples !== null && ours.examples === theirs.examples;
    const n = ours.values.length;
    const pairs = same && n > 0 && n === theirs.values.length;
    const gains = Float64Array.from(ours.values, (value, index) => gain(best.kind, value, theirs.values[index] ?? 0));
    const p = !pairs ? null : best.kind === 'accuracy' ? mcnemar(gains) : pairedT(gains);
    return [{ over: nameOf(row), difference: gain(best.kind, best.int8, row.int8), p }];
  });
  return withLeads({ name: nameOf(best), test: best.test, pairedBy: 'examples' }, leads);
}

function bestOfGroups(
  groups: readonly MatrixGroup[],
  rows: readonly MatrixRow[],
  seedsOf: (row: MatrixRow) => string,
): BestCell | null {
  const best = bestOf(groups, ({ int8 }) => int8.mean);
  if (best === null) return null;
  const rowsOf = (group: MatrixGroup): MatrixRow[] =>
    rows.filter(({ cell, called }) => called === group.called && group.cells.includes(cell));
  const ours = rowsOf(best);
  const leads = groups.flatMap((group) => {
    if (group === best) return [];
    const theirs = new Map(rowsOf(group).map((row) => [seedsOf(row), row]));
    const gains = ours.flatMap((row) => {
      const other = theirs.get(seedsOf(row));
      return other === undefined ? [] : [gain(best.kind, row.int8, other.int8)];
    });
    const p = gains.length === 0 ? null : pairedT(gains);
    return [{ over: group.name, difference: gain(best.kind, best.int8.mean, group.int8.mean), p }];
  });
  const top = present(
    bestOf(ours, ({ int8 }) => int8),
    'a row of the best group',
  );
  return withLeads({ name: best.name, test: top.test, pairedBy: 'seeds' }, leads);
}

const mcnemar = (gains: Float64Array): number =>
  mcnemarExact(gains.filter((value) => value < 0).length, gains.filter((value) => value > 0).length);

/** `outcomes` of a test, decoded. */
export function outcomesOf(text: string | undefined): Float32Array {
  // Copied, since a buffer may begin anywhere.
  return new Float32Array(Uint8Array.from(Buffer.from(text ?? '', 'base64')).buffer);
}

export function measureText(kind: MatrixRow['kind'], value: number): string {
  return kind === 'error' ? significant(value) : percent(value);
}

/** A difference or a deviation of a measure, without its sign. */
export function differenceText(kind: MatrixRow['kind'], value: number): string {
  return kind === 'error' ? significant(Math.abs(value)) : points(Math.abs(value)).replace('+', '');
}

/** So many limits of gates are said in the sentence. */
const MOST_LIMITS = 3;

/** @param limits of the gates: `drop_max at most 5.00 pp` */
function sentenceOf(
  { rows, untested, groups, best }: Omit<MatrixReport, 'sentence'>,
  cells: number,
  noun: CellNoun,
  limits: readonly string[],
): string {
  const all = (count: number): string => counted(count, noun, cellNouns[noun]);
  const state =
    untested.length === 0
      ? ''
      : ` ${all(untested.length)} of ${cells} ${untested.length === 1 ? 'has' : 'have'} no result.`;
  const first = rows[0];
  if (first === undefined) return `The matrix has ${all(cells)}; none has a result.`;
  const gated = rows.filter(({ gates }) => gates.all > 0);
  const met = gated.filter(({ gates }) => gates.unmet.length === 0).length;
  const every = met === 2 ? 'both models' : met === 1 ? 'the model' : `all ${met} models`;
  const whose = met < gated.length ? `${met} of ${gated.length} models` : every;
  const named = limits.length === 0 || limits.length > MOST_LIMITS ? '' : ` (${limits.join(', ')})`;
  const gates = gated.length === 0 ? ' No gate was set.' : ` Gates${named} are met by ${whose}.`;
  const ending = `${gates}${state}`;
  if (best === null) return `The ${all(cells)} measure different things, so none is the best.${ending}`;
  const group = groups.find(({ name }) => name === best.name);
  const value =
    group === undefined
      ? measureText(first.kind, bestRow(rows, best).int8)
      : `${measureText(group.kind, group.int8.mean)}${
          group.int8.deviation === null ? '' : ` \u00b1 ${differenceText(group.kind, group.int8.deviation)}`
        }, ${group.int8.n === 1 ? 'with 1 seed' : `mean and standard deviation of ${group.int8.n} seeds`}`;
  const int8 = `int8 ${first.measure} ${value}`;
  if (best.leads.length === 0) return `${capitalizedName(best.name)}${int8}.${ending}`;
  const others = group === undefined ? all(rows.length) : counted(groups.length, 'setting');
  return `Best of ${others}: ${best.name}, ${int8}. ${leadText(best)}${ending}`;
}

const capitalizedName = (name: string): string => (name === '' ? '' : `${name}: `);

const bestRow = (rows: readonly MatrixRow[], best: BestCell): MatrixRow =>
  present(
    rows.find(({ test }) => test === best.test),
    'the best row',
  );

/** Whether the best leads beyond chance, and how that was found. */
function leadText({ leads, pairedBy }: BestCell): string {
  const how = pairedBy === 'seeds' ? 'paired by seed' : 'paired on the same test examples';
  const together = leads.length === 1 ? how : `${how}, corrected for ${leads.length} comparisons`;
  const known = leads.filter(({ p }) => p !== null);
  const beyond = leads.filter(({ beyondChance }) => beyondChance).length;
  if (known.length === 0) return 'Whether its lead is more than chance cannot be said: nothing could be paired.';
  const smallest = known.reduce((least, { p }) => Math.max(least, p ?? 0), 0);
  const p = known.length === 1 ? `, p = ${probability(smallest)}` : '';
  const unknown = leads.length - known.length;
  const rest = unknown === 0 ? '' : ` ${counted(unknown, 'other')} cannot be compared with it.`;
  const all = leads.length === 1 ? 'the other' : `all ${leads.length} others`;
  if (beyond === leads.length) return `Its lead over ${all} is more than chance (${together}${p}).`;
  if (beyond === 0)
    return `${leads.length === 1 ? 'Its lead over the other may be chance' : 'Its lead over each of the others may be chance'} (${together}${p}).${rest}`;
  return `Its lead is more than chance over ${beyond} of the ${leads.length} others (${together}).${rest}`;
}
