/** The facts of a comparison as tables of text, which the terminal, Markdown and the page show alike. */
import { unreachable } from '../../core/assert.ts';
import { counted, listText } from '../../core/words.ts';
import type { RuntimeName } from '../../measurements/metrics.ts';
import {
  bytes,
  decibel,
  fixed,
  integer,
  NOT_MEASURED,
  orNone,
  percent,
  points,
  probability,
  seconds,
  shortDigest,
  significant,
} from '../format.ts';
import { measureText } from '../matrix.ts';
import { nameOf } from './names.ts';
import type { Comparison, Contrast, Judgement, Kind, Measure, Setting, TestComparison } from './schema.ts';
import { intervalText, signed } from './sentence.ts';

export interface Cell {
  readonly text: string;
  /** How what it says went. */
  readonly tone: 'plain' | 'better' | 'worse' | 'muted';
}

export interface Sheet {
  readonly title: string;
  /** How to read it; null where the heads say it all. */
  readonly lead: string | null;
  readonly columns: readonly { readonly head: string; readonly kind: 'words' | 'numbers' }[];
  readonly rows: readonly (readonly Cell[])[];
  /** How many rows are read at first; a page folds the others. */
  readonly shown: number;
}

const plain = (text: string): Cell => ({ text, tone: 'plain' });
const words = (head: string) => ({ head, kind: 'words' as const });
const numbers = (head: string) => ({ head, kind: 'numbers' as const });

/** In the order in which they are read; none is empty. */
export function sheetsOf(comparison: Comparison): readonly Sheet[] {
  const { tests, runs } = comparison;
  const several = tests.length > 1;
  return [
    settingsSheet(comparison),
    environmentSheet(comparison),
    ...tests.map((test) => resultSheet(test, runs, several)),
    measuresSheet(comparison),
    tradeoffSheet(comparison),
    ...tests.map((test) => layersSheet(test, runs, several)),
    ...tests.map((test) => flipsSheet(test, several)),
    lintsSheet(comparison),
    artifactsSheet(comparison),
  ].filter(({ rows }) => rows.length > 0);
}

/** The few rows that a reader of a pull request needs. */
export function summarySheet(comparison: Comparison): Sheet {
  const { tests, runs, measures } = comparison;
  const results = tests.flatMap((test) =>
    resultRows(test, runs)
      .filter(({ runtime }) => runtime === 'int8' || runtime === 'int8_litert')
      .map(({ cells: [name, ...rest] }) => [
        plain(`${tests.length > 1 ? `${test.test}: ` : ''}${test.measure} ${name?.text ?? ''}`),
        ...rest,
      ]),
  );
  const sizes = measures.filter(({ unit }) => unit === 'bytes').map((measure) => measureRow(measure));
  return {
    title: 'Summary',
    lead: null,
    columns: resultColumns('', runs),
    rows: [...results, ...sizes],
    shown: Infinity,
  };
}

// Settings

function settingsSheet({ settings, runs }: Comparison): Sheet {
  return {
    title: 'Settings',
    lead: null,
    columns: [words('Setting'), ...runs.map(({ name }) => words(name)), words('Where')],
    rows: settings.map((setting) => [
      plain(setting.path),
      ...setting.values.map((value) => plain(value ?? NOT_MEASURED)),
      { text: whereText(setting, runs), tone: 'muted' as const },
    ]),
    shown: 20,
  };
}

/** `quickstart.yaml:16 (A, C), --set (B)`, or the one place where all agree. */
function whereText({ values, places }: Setting, runs: Comparison['runs']): string {
  const byPlace = new Map<string, string[]>();
  for (const [run, { name }] of runs.entries()) {
    if (values[run] == null) continue;
    const place = places[run] ?? 'filled in';
    byPlace.set(place, [...(byPlace.get(place) ?? []), name]);
  }
  const said = [...byPlace];
  const [first] = said;
  if (first !== undefined && said.length === 1) return first[0];
  return said.map(([place, names]) => `${place} (${names.join(', ')})`).join(', ');
}

function environmentSheet({ environment, runs }: Comparison): Sheet {
  return {
    title: 'Environment',
    lead: null,
    columns: [words(''), ...runs.map(({ name }) => words(name))],
    rows: environment.map(({ path, values }) => [plain(path), ...values.map((value) => plain(value ?? NOT_MEASURED))]),
    shown: Infinity,
  };
}

// Results

/** Short enough for a terminal of 80 columns. */
const modelNames: Readonly<Record<RuntimeName, string>> = {
  float: 'float',
  qat_float: 'unrounded',
  fake_quant: 'fake-quant',
  int8: 'int8, TFLM',
  int8_litert: 'int8, LiteRT',
};

function resultColumns(head: string, runs: Comparison['runs']): Sheet['columns'] {
  const values = runs.map(({ name }) => numbers(name));
  return runs.length === 2
    ? [words(head), ...values, numbers('B \u2212 A [95 %]'), words('B is')]
    : [words(head), ...values, words('against A')];
}

function resultRows({ kind, models }: TestComparison, runs: Comparison['runs']) {
  return models.map(({ runtime, values, against }) => {
    const shown = values.map((value) => plain(orNone(value?.value ?? null, (one) => measureText(kind, one))));
    const name = plain(modelNames[runtime]);
    const [, pair = null] = against;
    const verdict =
      runs.length === 2 ? [plain(differenceText(kind, pair)), judgedCell(pair)] : [severalCell(runs, against)];
    return { runtime, cells: [name, ...shown, ...verdict] };
  });
}

function resultSheet(test: TestComparison, runs: Comparison['runs'], several: boolean): Sheet {
  const pairs = test.models.flatMap(({ runtime, against }) => (runtime === 'int8' ? against : []));
  const isPaired = pairs.some((pair) => pair !== null && pair.method !== 'unpaired');
  const lead = isPaired
    ? 'int8 on TFLM is compared example by example. For the other models, only the intervals can be compared.'
    : null;
  return {
    ...{ title: several ? `Results of ${test.test}` : 'Results', lead },
    columns: resultColumns(test.measure, runs),
    rows: resultRows(test, runs).map(({ cells }) => cells),
    shown: Infinity,
  };
}

function differenceText(kind: Kind, contrast: Contrast | null): string {
  if (contrast === null) return NOT_MEASURED;
  const { difference, low, high } = contrast;
  const amount = kind === 'error' ? signed(difference) : points(difference);
  if (low === null || high === null) return amount;
  const interval = intervalText(kind, low, high)
    .replace(/\s*pp$/u, '')
    .replace(' to ', ', ');
  return kind === 'error' ? `${amount} [${interval}]` : `${amount.replace(/\s*pp$/u, '')} [${interval}] pp`;
}

const judgementTexts: Readonly<Record<Judgement, string>> = {
  better: 'better',
  worse: 'worse',
  chance: 'undecided',
  same: 'equal',
  not_judged: '',
};

const toneOf = (judgement: Judgement): Cell['tone'] =>
  judgement === 'better' || judgement === 'worse' ? judgement : 'muted';

function judgedText({ judgement, p }: Contrast): string {
  const text = judgementTexts[judgement];
  if (p === null || judgement === 'same') return text;
  return `${text}, p${p < 0.001 ? ' ' : ' = '}${probability(p)}`;
}

const judgedCell = (contrast: Contrast | null): Cell =>
  contrast === null ? plain('') : { text: judgedText(contrast), tone: toneOf(contrast.judgement) };

/** Of more than two runs, how each of the others went. */
function severalCell(runs: Comparison['runs'], against: readonly (Contrast | null)[]): Cell {
  const said = against.flatMap((contrast, run) =>
    contrast === null ? [] : [{ contrast, text: `${runs[run]?.name ?? ''} ${judgedText(contrast)}` }],
  );
  const tones = new Set(said.map(({ contrast }) => toneOf(contrast.judgement)));
  const [tone = 'plain'] = tones;
  return { text: said.map(({ text }) => text).join('; '), tone: tones.size === 1 ? tone : 'plain' };
}

// Sizes, trainings and times

function measuresSheet({ measures, runs }: Comparison): Sheet {
  return {
    title: 'Sizes, trainings and times',
    lead: null,
    columns:
      runs.length === 2
        ? [words(''), numbers('A'), numbers('B'), numbers('B \u2212 A'), words('B is')]
        : [words(''), ...runs.map(({ name }) => numbers(name)), words('against A')],
    rows: measures.map((measure) => measureRow(measure)),
    shown: Infinity,
  };
}

/** Only sizes are judged among the measures. */
const sizeTexts: Readonly<Record<Judgement, string>> = { ...judgementTexts, better: 'smaller', worse: 'larger' };

function measureRow(measure: Measure): Cell[] {
  const { name, unit, values, judgements } = measure;
  const shown = values.map((value) => plain(orNone(value, (one) => amountText(one, unit))));
  const judged = judgements.map((judgement) => sizeTexts[judgement]);
  if (values.length === 2) {
    const [, judgement = 'not_judged'] = judgements;
    return [plain(name), ...shown, plain(deltaText(measure)), { text: judged[1] ?? '', tone: toneOf(judgement) }];
  }
  const others = judged
    .map((text, run) => ({ text, run }))
    .filter(({ text, run }) => run > 0 && text !== '' && text !== 'equal');
  return [plain(name), ...shown, plain(others.map(({ text, run }) => `${nameOf(run)} ${text}`).join('; '))];
}

export function amountText(value: number, unit: Measure['unit']): string {
  switch (unit) {
    case 'share':
      return percent(value);
    case 'error':
      return significant(value);
    case 'bytes':
      return bytes(value);
    case 'count':
    case 'per_second':
      return integer(value);
    case 'seconds':
      return seconds(value);
    default:
      return unreachable(unit);
  }
}

function deltaText({ values: [a = null, b = null], unit }: Measure): string {
  if (a === null || b === null) return NOT_MEASURED;
  const signOf = (text: string): string => (b > a && /[1-9]/.test(text) ? `+${text}` : text);
  if (unit === 'share') return points(b - a);
  if (unit === 'bytes') return signOf(`${integer(b - a)}\u202fB`);
  if (unit === 'count') return signOf(integer(b - a));
  return a === 0 ? NOT_MEASURED : signOf(`${fixed(100 * (b / a - 1), 1)}\u202f%`);
}

function tradeoffSheet({ tradeoff }: Comparison): Sheet {
  const points = tradeoff?.points ?? [];
  const tests = new Set(points.map(({ test }) => test)).size > 1;
  const { kind = 'accuracy' as const, measure = '' } = tradeoff ?? {};
  return {
    title: `${measure} against size`,
    lead: 'Where the last column is empty, another model is at least as good and no larger.',
    columns: [
      words('Run'),
      ...(tests ? [words('Test')] : []),
      numbers(`int8 ${measure}`),
      numbers('Model file'),
      words(''),
    ],
    rows: points.map(({ run, test, value, bytes: size, best }) => [
      plain(run),
      ...(tests ? [plain(test)] : []),
      plain(measureText(kind, value)),
      plain(bytes(size)),
      best ? { text: 'none better at its size', tone: 'better' as const } : plain(''),
    ]),
    shown: 20,
  };
}

// Layers, examples, lints and artifacts

function layersSheet({ test, layers }: TestComparison, runs: Comparison['runs'], several: boolean): Sheet {
  const pair = runs.length === 2;
  return {
    title: `Layers${several ? ` of ${test}` : ''}`,
    lead: 'Signal-to-quantization-noise ratio (SQNR) of int8 against float, the largest change first. Higher is better, and 6 dB is about one bit.',
    columns: [words('Layer'), ...runs.map(({ name }) => numbers(name)), ...(pair ? [numbers('B \u2212 A')] : [])],
    rows: layers.map(({ name, values }) => {
      const [a = null, b = null] = values;
      const difference = a === null || b === null ? null : b - a;
      const change = orNone(difference, (value) => (value > 0 ? `+${decibel(value)}` : decibel(value)));
      return [plain(name), ...values.map((value) => plain(orNone(value, decibel))), ...(pair ? [plain(change)] : [])];
    }),
    shown: 8,
  };
}

function flipsSheet({ test, kind, flips }: TestComparison, several: boolean): Sheet {
  const verb = kind === 'accuracy' ? 'Right' : kind === 'error' ? 'Less wrong' : 'Better';
  return {
    title: `Examples${several ? ` of ${test}` : ''}`,
    lead:
      kind === 'accuracy'
        ? 'The examples that int8 gets right in one run only, by their index in the test data.'
        : 'The examples on which int8 does better in one run than in the other, the largest differences first.',
    columns: [words(`${verb} in`), words('not in'), numbers('Examples'), words('Which')],
    rows: flips.flatMap(({ run, onlyFirst, onlyThis, firstExamples, thisExamples }) => [
      flipRow('A', run, onlyFirst, firstExamples),
      flipRow(run, 'A', onlyThis, thisExamples),
    ]),
    shown: Infinity,
  };
}

function flipRow(right: string, wrong: string, count: number, examples: readonly number[]): Cell[] {
  const more = count > examples.length ? ' \u2026' : '';
  return [plain(right), plain(wrong), plain(integer(count)), plain(`${examples.join(', ')}${more}`)];
}

function lintsSheet({ lints, runs }: Comparison): Sheet {
  return {
    title: 'Lints',
    lead: null,
    columns: [words('Lint'), words('Where'), ...runs.map(({ name }) => words(name))],
    rows: lints.map(({ code, place, values }) => [
      plain(code),
      plain(place),
      ...values.map((found): Cell => (found === null ? { text: 'not found', tone: 'muted' } : plain(found))),
    ]),
    shown: 12,
  };
}

/** Identical files are one line: there is nothing to compare. */
function artifactsSheet({ artifacts, runs }: Comparison): Sheet {
  const different = artifacts.filter(({ identical }) => !identical);
  const same = artifacts.filter(({ identical }) => identical).map(({ name }) => name);
  const lead = same.length === 0 ? null : `Identical, byte for byte: ${listText(same)}.`;
  return {
    ...{ title: 'Files', lead },
    columns: [words('File'), ...runs.map(({ name }) => words(name))],
    rows:
      different.length === 0 && same.length > 0
        ? [[plain(`all ${counted(same.length, 'file')}`), ...runs.map(() => plain('identical'))]]
        : different.map(({ name, digests }) => [
            plain(name),
            ...digests.map((digest) => plain(digest === null ? NOT_MEASURED : shortDigest(digest))),
          ]),
    shown: 12,
  };
}
