/** Which test examples a report shows, and what of each. */
import type { Examples, ExampleAnswer, ExampleValue, ShownExample } from '../measurements/examples.ts';
import type { OfModels } from './models.ts';
import type { Tested } from './tested.ts';
import { viewerOf } from './views.ts';

/** Examples of one kind. */
export interface Group {
  readonly title: string;
  readonly lead: string;
  /** How many times `examples` of the test stage are shown; `rest`: only as many as are missing to that number. */
  readonly weight: 1 | 2 | 'rest';
  /** Those with the largest are shown; null for an example that is not of the kind. */
  readonly rank: (index: number) => number | null;
}

/** What a task says of an example beside its input. */
export type Described = Pick<ShownExample, 'truth' | 'answers' | 'values' | 'hidden'> & {
  readonly views?: ShownExample['views'];
};

export type Meaning = Pick<Examples, 'unit'> & Partial<Pick<Examples, 'threshold' | 'classes'>>;

/** The model that int8 is compared with: float, or where the pipeline trained none the QAT weights without quantizers. */
export function baselineOf({ float, qatFloat }: Pick<Tested, 'float' | 'qatFloat'>) {
  return float === null
    ? ({ model: 'qat_float', title: 'float (QAT weights)', outputs: qatFloat } as const)
    : ({ model: 'float', title: 'float', outputs: float } as const);
}

/** Chooses examples group by group; none is shown twice. Of equal ones the first of the split comes first. */
export function shownExamples(
  tested: Tested,
  meaning: Meaning,
  groups: readonly Group[],
  describe: (index: number) => Described,
): Examples {
  const { dataset, numExamples, output } = tested;
  const { count, names } = dataset.test;
  const viewer = viewerOf(dataset);
  const taken = new Set<number>();
  const shown: ShownExample[] = [];
  const described = groups.map(({ title, lead, weight, rank }, group) => {
    const ranked = Array.from({ length: count }, (_, index) => ({ index, rank: rank(index) })).flatMap((one) =>
      one.rank === null ? [] : [{ index: one.index, rank: one.rank }],
    );
    ranked.sort((a, b) => b.rank - a.rank || a.index - b.index);
    const most = weight === 'rest' ? Math.max(0, numExamples - shown.length) : weight * numExamples;
    const chosen = ranked.filter(({ index }) => !taken.has(index)).slice(0, most);
    for (const { index } of chosen) {
      taken.add(index);
      const { views = [], ...said } = describe(index);
      const input = viewer.input(index);
      const seen = input === null ? views : [{ title: 'input', view: input }, ...views];
      shown.push({ index, name: names?.[index] ?? null, group, ...said, views: seen });
    }
    return { title, lead, found: ranked.length };
  });
  return { threshold: null, classes: [], ...meaning, ...output, groups: described, shown };
}

interface Judged {
  readonly right: boolean;
  /** Of the output, as a real value. */
  readonly margin: number;
}

interface Ranked extends Judged {
  /** How far the right answer is ahead of the best of the others; below 0 where one of them is ahead. */
  readonly lead: number;
}

/** Those that quantization turns first, then those that both get wrong, and only where there are few of them close ones. */
export function groupsOfAnswers(
  count: number,
  name: string,
  first: (index: number) => Ranked,
  int8: (index: number) => Ranked,
): Group[] {
  const judged = Array.from({ length: count }, (_, index) => ({ before: first(index), after: int8(index) }));
  const among =
    (wasRight: boolean, isRight: boolean, rank: (one: { before: Ranked; after: Ranked }) => number): Group['rank'] =>
    (index) => {
      const one = judged[index];
      return one?.before.right === wasRight && one.after.right === isRight ? rank(one) : null;
    };
  const lost = ({ before, after }: { before: Ranked; after: Ranked }): number => before.lead - after.lead;
  return [
    {
      title: 'Turned wrong',
      lead: `Right in ${name}, wrong in int8. First come those whose right answer lost the largest margin.`,
      ...{ weight: 2, rank: among(true, false, lost) },
    },
    {
      title: 'Turned right',
      lead: `Wrong in ${name}, right in int8. First come those whose right answer gained the largest margin.`,
      ...{ weight: 1, rank: among(false, true, (one) => -lost(one)) },
    },
    {
      title: 'Wrong in both',
      lead: `Wrong in ${name} and in int8. First come those that int8 is surest of: wrong labels in the data are often among them.`,
      ...{ weight: 1, rank: among(false, false, ({ after }) => after.margin) },
    },
    {
      title: 'Right in both',
      lead: `Right in ${name} and in int8. First come those that int8 is least sure of.`,
      ...{ weight: 'rest', rank: among(true, true, ({ after }) => -after.margin) },
    },
  ];
}

/**
 * The same of labels, of which an example has several: an example is of a kind if one of its labels is.
 *
 * @param labels where the labels of an example are
 */
export function groupsOfLabels(
  name: string,
  labels: (index: number) => readonly number[],
  judge: (model: 'first' | 'int8', at: number) => Judged,
): Group[] {
  const largest =
    (wasRight: boolean, isRight: boolean): Group['rank'] =>
    (index) => {
      let most: number | null = null;
      for (const at of labels(index)) {
        const [before, after] = [judge('first', at), judge('int8', at)];
        if (before.right !== wasRight || after.right !== isRight) continue;
        most = Math.max(most ?? 0, (wasRight === isRight ? 0 : before.margin) + after.margin);
      }
      return most;
    };
  const smallest: Group['rank'] = (index) => {
    const judged = labels(index).map((at) => ({ before: judge('first', at), after: judge('int8', at) }));
    if (!judged.every(({ before, after }) => before.right && after.right)) return null;
    return -Math.min(...judged.map(({ after }) => after.margin));
  };
  return [
    {
      title: 'Turned wrong',
      lead: `A label is right in ${name} and wrong in int8. First come those where it lost the largest margin.`,
      ...{ weight: 2, rank: largest(true, false) },
    },
    {
      title: 'Turned right',
      lead: `A label is wrong in ${name} and right in int8. First come those where it gained the largest margin.`,
      ...{ weight: 1, rank: largest(false, true) },
    },
    {
      title: 'Wrong in both',
      lead: `A label is wrong in ${name} and in int8. First come those that int8 is surest of: wrong labels in the data are often among them.`,
      ...{ weight: 1, rank: largest(false, false) },
    },
    {
      title: 'Right in both',
      lead: `All labels are right in ${name} and in int8. First come those that int8 is least sure of.`,
      ...{ weight: 'rest', rank: smallest },
    },
  ];
}

/** Where integers answer differently, then where they are wrong most. */
export function groupsOfErrors(
  name: string,
  difference: (index: number) => number,
  error: (index: number) => number,
): Group[] {
  return [
    {
      title: 'Furthest from float',
      lead: `First come those whose int8 output differs most from that of ${name}, on average over its elements.`,
      ...{ weight: 1, rank: difference },
    },
    {
      title: 'Largest errors',
      lead: 'First come those with the largest error of int8; those above are left out.',
      ...{ weight: 1, rank: error },
    },
  ];
}

/** The answers of the three models whose difference is the cost of quantization, in their order. */
export function answersOf(
  tested: Pick<Tested, 'float' | 'qatFloat'>,
  answer: (model: 'first' | 'fakeQuant' | 'int8') => Omit<ExampleAnswer, 'model'>,
): ExampleAnswer[] {
  return [
    { model: baselineOf(tested).model, ...answer('first') },
    { model: 'fake_quant', ...answer('fakeQuant') },
    { model: 'int8', ...answer('int8') },
  ];
}

/** Elements of the output that are listed, at most. */
const MOST_VALUES = 10;

/**
 * Elements of an output of several.
 *
 * @param kept indices that are listed in any case, few; the others by the size of int8's
 */
export function listedValues(
  values: readonly ExampleValue[],
  kept: readonly number[],
): Pick<ShownExample, 'values' | 'hidden'> {
  if (values.length <= MOST_VALUES) return { values: [...values], hidden: 0 };
  const bySize = values.map((_, at) => at).sort((a, b) => values[b]!.int8 - values[a]!.int8 || a - b);
  const listed = [...new Set([...kept, ...bySize])].slice(0, MOST_VALUES).sort((a, b) => a - b);
  return { values: listed.flatMap((at) => values[at] ?? []), hidden: values.length - listed.length };
}

/** Of the three models, for tasks whose examples have an error. */
export function answersOfErrors(
  tested: Pick<Tested, 'float' | 'qatFloat'>,
  errors: OfModels<Float64Array>,
  index: number,
): ExampleAnswer[] {
  const of = { first: errors.float ?? errors.qat_float, fakeQuant: errors.fake_quant, int8: errors.int8 };
  return answersOf(tested, (model) => ({ text: null, right: null, margin: null, error: of[model][index]! }));
}

/** The mean over the elements of an example of how much two outputs differ. */
export function meanDifference(a: Float32Array, b: Float32Array, index: number, size: number): number {
  let sum = 0;
  for (let at = index * size; at < (index + 1) * size; at++) sum += Math.abs(a[at]! - b[at]!);
  return sum / size;
}
