/** The first sentence of a comparison: what was changed, and whether it made a difference. */
import { counted, listText } from '../../core/words.ts';
import { points, probability, significant } from '../format.ts';
import { measureText } from '../matrix.ts';
import { nameOf } from './names.ts';
import type { Comparison, Contrast, Judgement, Kind, Setting, TestComparison } from './schema.ts';
import { shortNames } from './settings.ts';
import type { MatchedTest } from './tested.ts';

type Facts = Pick<Comparison, 'runs' | 'tests' | 'unmatched' | 'environment'>;

export function sentenceOf(facts: Facts, changed: readonly Setting[], matched: readonly MatchedTest[]): string {
  const { runs, tests } = facts;
  const change = runs.length === 2 ? changeText(changed) : variedText(changed);
  return `${change}: ${outcomeText(facts, tests, matched)}.`;
}

/** Settings that somebody wrote; what was filled in follows from them. */
function written(changed: readonly Setting[]): readonly Setting[] {
  const said = changed.filter(({ places }) => places.some((place) => place !== null));
  return said.length === 0 ? changed : said;
}

const mostNamed = 2;

function changeText(changed: readonly Setting[]): string {
  const said = written(changed);
  if (said.length === 0) return 'Same settings';
  if (said.length > mostNamed) return `${counted(said.length, 'setting')} changed`;
  const names = shortNames(said.map(({ path }) => path));
  return said
    .map(({ values: [a = null, b = null] }, index) => {
      const name = names[index] ?? '';
      if (a === null) return `${name} set to ${valueText(b)}`;
      return b === null ? `${name} left out, which was ${valueText(a)}` : `${name} ${valueText(a)} to ${valueText(b)}`;
    })
    .join(', ');
}

function variedText(changed: readonly Setting[]): string {
  const said = written(changed);
  if (said.length === 0) return 'Same settings';
  if (said.length > mostNamed + 1) return `${counted(said.length, 'setting')} vary`;
  const names = shortNames(said.map(({ path }) => path));
  return `${listText(names)} ${names.length === 1 ? 'varies' : 'vary'}`;
}

/** A text without its quotes. */
export function valueText(json: string | null): string {
  if (json === null) return 'not set';
  const value: unknown = JSON.parse(json);
  return typeof value === 'string' ? value : json;
}

function outcomeText({ runs }: Facts, tests: readonly TestComparison[], matched: readonly MatchedTest[]): string {
  const [only] = tests;
  if (only === undefined) return 'no test was run by several of them, so nothing measured can be compared';
  const entries = tests.flatMap((test) => entriesOf(test, runs.length, tests.length));
  const [entry] = entries;
  if (entry === undefined) return 'they measure different things, which cannot be compared';
  if (matched.every(sameModel)) {
    const who = runs.length === 2 ? 'both' : `all ${runs.length}`;
    const files = new Set(matched.flatMap(({ tests: each }) => each.flatMap((test) => test?.model.sha256 ?? [])));
    return `no difference, ${who} made the same model ${files.size === 1 ? 'file' : 'files'}, byte for byte`;
  }
  return entries.length === 1 ? pairText(entry) : severalText(entries, only);
}

function sameModel({ tests }: MatchedTest): boolean {
  const [first] = tests;
  return tests.every((test) => test != null && test.model.sha256 === first?.model.sha256);
}

interface Entry {
  /** The run, the test, or both: what tells it from the other entries. */
  readonly label: string;
  readonly kind: Kind;
  readonly measure: string;
  readonly a: number;
  readonly b: number;
  readonly contrast: Contrast;
}

function entriesOf({ test, kind, measure, models }: TestComparison, runs: number, tests: number): Entry[] {
  const int8 = models.find(({ runtime }) => runtime === 'int8');
  const first = int8?.values[0] ?? null;
  return (int8?.against ?? []).flatMap((contrast, run) => {
    const value = int8?.values[run] ?? null;
    if (contrast === null || first === null || value === null) return [];
    const label = runs === 2 ? `\`${test}\`` : tests === 1 ? nameOf(run) : `${nameOf(run)} in \`${test}\``;
    return [{ ...{ label, kind, measure, contrast }, a: first.value, b: value.value }];
  });
}

function pairText({ kind, measure, a, b, contrast }: Entry): string {
  const values = `${measureText(kind, a)} to ${measureText(kind, b)}`;
  const how = contrast.p === null ? unpairedText(kind, contrast) : `p ${equals(contrast.p)}`;
  switch (contrast.judgement) {
    case 'same':
      return contrast.method === 'unpaired'
        ? `no difference in int8 ${measure} (${measureText(kind, b)}, not paired)`
        : `no difference, int8 does equally well on every example (${measure} ${measureText(kind, b)})`;
    case 'better':
    case 'worse':
      return `int8 ${measure} is ${contrast.judgement} by ${amountText(kind, contrast)} (${values}, ${how})`;
    default:
      return `no difference beyond chance in int8 ${measure} (${values}, ${how})`;
  }
}

const equals = (p: number): string => (p < 0.001 ? probability(p) : `= ${probability(p)}`);

const amountText = (kind: Kind, { difference }: Contrast): string =>
  kind === 'error' ? significant(Math.abs(difference)) : points(Math.abs(difference)).replace('+', '');

/** An interval of differences, with one unit. */
export function intervalText(kind: Kind, low: number, high: number): string {
  if (kind === 'error') return `${signed(low)} to ${signed(high)}`;
  return `${points(low).replace(/\s*pp$/u, '')} to ${points(high)}`;
}

export const signed = (value: number): string => (value > 0 ? `+${significant(value)}` : significant(value));

const unpairedText = (kind: Kind, { low, high }: Contrast): string =>
  low === null || high === null ? 'not paired' : `not paired, 95 % interval ${intervalText(kind, low, high)}`;

function severalText(entries: readonly Entry[], { measure, models }: TestComparison): string {
  const of = (judgement: Judgement): Entry[] => entries.filter(({ contrast }) => contrast.judgement === judgement);
  const clear = (judgement: 'better' | 'worse'): string[] => {
    const found = of(judgement);
    if (found.length === 0) return [];
    const said = found.map(({ label, kind, contrast }) => {
      const p = contrast.p === null ? '' : `, p ${equals(contrast.p)}`;
      return `${label} (by ${amountText(kind, contrast)}${p})`;
    });
    return [`${judgement} ${said.length === 1 ? 'is' : 'are'} ${listText(said)}`];
  };
  const quiet = [
    ...(of('chance').length === 0 ? [] : [`within chance ${verbOf(of('chance'))} ${listText(labelsOf(of('chance')))}`]),
    ...(of('same').length === 0 ? [] : [`equal ${verbOf(of('same'))} ${listText(labelsOf(of('same')))}`]),
  ];
  const first = models.find(({ runtime }) => runtime === 'int8')?.values[0];
  const oneMeasure =
    new Set(entries.map((entry) => entry.measure)).size === 1 && new Set(entries.map(({ a }) => a)).size === 1;
  const start =
    first != null && oneMeasure
      ? `int8 ${measure} of A is ${measureText(entries[0]?.kind ?? 'accuracy', first.value)}; `
      : 'against A, ';
  return `${start}${[...clear('better'), ...clear('worse'), ...quiet].join('; ')}`;
}

const labelsOf = (entries: readonly Entry[]): readonly string[] => entries.map(({ label }) => label);
const verbOf = (entries: readonly Entry[]): string => (entries.length === 1 ? 'is' : 'are');

/** What a reader must know before trusting the numbers. */
export function notesOf({ runs, tests, unmatched, environment }: Facts, matched: readonly MatchedTest[]): string[] {
  const unfinished = runs.filter(({ status }) => status !== 'pass' && status !== 'fail');
  const reasons = new Set(
    tests.flatMap(({ models }) =>
      models.flatMap(({ runtime, against }) =>
        runtime === 'int8' ? against.flatMap((contrast) => contrast?.unpairedBecause ?? []) : [],
      ),
    ),
  );
  const renamed = matched.filter(({ name, tests: each }) => each.some((test) => test !== null && test.name !== name));
  const odd = matched.filter(({ tests: [first, ...others] }) =>
    others.some(
      (test) => test !== null && first != null && (test.kind !== first.kind || test.measure !== first.measure),
    ),
  );
  const versions = environment.find(({ path }) => path === 'qpipeVersion');
  return [
    ...unfinished.map(({ name, status }) => `${name} ${statusTexts[status]}, so what it lacks is not compared.`),
    ...[...reasons].map(
      (reason) => `The examples are not paired, since ${reason}: only large differences can be told from chance.`,
    ),
    ...renamed.map(
      ({ tests: each }) =>
        `The only tests of the runs are compared, though they are named differently: ${listText([...new Set(each.flatMap((test) => test?.name ?? []))])}.`,
    ),
    ...odd.map(({ name }) => `The networks of \`${name}\` have different tasks, so their results cannot be compared.`),
    ...unmatched.map(
      ({ run, tests: names }) => `Only ${run} has ${names.length === 1 ? 'the test' : 'the tests'} ${listText(names)}.`,
    ),
    ...(versions === undefined ? [] : ['The runs were made by different versions of qpipe.']),
  ];
}

const statusTexts = {
  running: 'is still running',
  error: 'has failed',
  interrupted: 'was interrupted',
  pass: 'has ended',
  fail: 'has ended',
} as const;
