// Which examples are shown, and with what margins and errors: computed again from the raw outputs, in another way.
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { inputsOf } from '../../src/data/inputs.ts';
import type { Examples, ShownExample } from '../../src/measurements/examples.ts';
import { binary } from '../../src/tasks/binary.ts';
import { classify } from '../../src/tasks/classify.ts';
import { multiLabel } from '../../src/tasks/multi-label.ts';
import { reconstruct } from '../../src/tasks/reconstruct.ts';
import { regress } from '../../src/tasks/regress.ts';
import { segment } from '../../src/tasks/segment.ts';
import type { Tested } from '../../src/tasks/tested.ts';
import { splitOf, testedOf } from './tested.ts';

const count = 200;
const output = { scale: 0.25, zeroPoint: 3 };
const random = createRandom(11, 'examples');
const noise = (): number => random.float() + random.float() - 1;
const labels = Uint8Array.from({ length: count }, () => random.below(4));
const names = Array.from({ length: count }, (_, index) => `file ${index}.png`);

/** Outputs near to a signal, and codes that quantize what is near to those. */
function models(signal: (at: number) => number, length: number) {
  const float = Float32Array.from({ length }, (_, at) => signal(at) + noise());
  const fakeQuant = float.map((value) => value + 0.2 * noise());
  const int8 = Int32Array.from(fakeQuant, (value) => Math.round(value / output.scale) + output.zeroPoint);
  return { float, qatFloat: float.map((value) => value + 0.1 * noise()), fakeQuant, int8, output, numExamples: 5 };
}

const real = (code: number | undefined): number => output.scale * ((code ?? NaN) - output.zeroPoint);
const indicesOf = ({ groups, shown }: Examples, title: string): number[] => {
  const group = groups.findIndex((one) => one.title === title);
  return shown.filter((one) => one.group === group).map(({ index }) => index);
};
const foundOf = ({ groups }: Examples, title: string) => groups.find((one) => one.title === title)?.found;
const answerOf = ({ answers }: ShownExample, model: string) => answers.find((one) => one.model === model);
/** Of the kept indices those with the largest numbers, the first of equal ones. */
const most = (number: readonly number[], keep: (index: number) => boolean, length: number): number[] =>
  [...number.keys()]
    .filter(keep)
    .sort((a, b) => number[b]! - number[a]!)
    .slice(0, length);

/** Margins by sorting: largest minus second largest. */
const sorted = (values: readonly number[]) => {
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
  return { best: order[0]!, margin: values[order[0]!]! - values[order[1]!]! };
};
const row = <T>(values: ArrayLike<T>, index: number, size: number): T[] =>
  Array.from({ length: size }, (_, at) => values[index * size + at]!);

describe('examples of a network that classifies', () => {
  const made = models((at) => (labels[Math.floor(at / 4)] === at % 4 ? 0.5 : 0), 4 * count);
  const split = splitOf(count, { labels, names, inputs: inputsOf(new Uint8Array(count * 4), 4) });
  const tested = (change: Partial<Tested> = {}): Tested => ({
    ...testedOf({ task: 'classify', classNames: ['a', 'b', 'c', 'd'], split }, [0], made),
    ...change,
  });
  const before = labels.map((_, index) => index);
  const float = Array.from(before, (index) => sorted(row(made.float, index, 4)));
  const int8 = Array.from(before, (index) => sorted(row(made.int8, index, 4).map(real)));
  const [was, is] = [float, int8].map((model) => model.map(({ best }, index) => best === labels[index])) as [
    boolean[],
    boolean[],
  ];
  /** How far the right answer is ahead, or below 0 behind. */
  const lead = (values: readonly number[], index: number): number => {
    const label = labels[index]!;
    return values[label]! - Math.max(...values.filter((_, at) => at !== label));
  };
  const lostFrom = (model: Float32Array) => (index: number) =>
    lead(row(model, index, 4), index) - lead(row(made.int8, index, 4).map(real), index);
  const lost = Array.from(before, lostFrom(made.float));
  const gained = lost.map((margin) => -margin);

  it('are first those that turned wrong, by the margin that was lost, then those that turned right', () => {
    const { examples, flips } = classify.measure(tested());
    expect(indicesOf(examples, 'Turned wrong')).toEqual(most(lost, (index) => was[index]! && !is[index]!, 10));
    expect(indicesOf(examples, 'Turned right')).toEqual(most(gained, (index) => !was[index]! && is[index]!, 5));
    expect(foundOf(examples, 'Turned wrong')).toBe(flips?.rightToWrong);
    expect(foundOf(examples, 'Turned right')).toBe(flips?.wrongToRight);
    // There are some to choose from.
    expect(flips?.rightToWrong).toBeGreaterThan(10);
    expect(flips?.wrongToRight).toBeGreaterThanOrEqual(5);
  });

  it('are then those that int8 is wrong about with the largest margin, and close ones only where there is room', () => {
    const { examples } = classify.measure(tested());
    const after = int8.map(({ margin }) => margin);
    expect(indicesOf(examples, 'Wrong in both')).toEqual(most(after, (index) => !was[index]! && !is[index]!, 5));
    expect(indicesOf(examples, 'Right in both')).toEqual([]);
    // All right: only those that are close remain.
    const right = Float32Array.from({ length: 4 * count }, (_, at) =>
      labels[Math.floor(at / 4)] === at % 4 ? 1 + (at % 7) : 0,
    );
    const perfect = classify.measure(tested({ float: right, int8: Int32Array.from(right) })).examples;
    expect(perfect.groups.map(({ found }) => found)).toEqual([0, 0, 0, count]);
    expect(perfect.shown.map(({ answers }) => answers.at(-1)?.margin)).toEqual(Array(5).fill(0.25));
  });

  it('have the margins of all models, the codes, their real values and the name of their file', () => {
    const { examples } = classify.measure(tested());
    for (const example of examples.shown) {
      const { index } = example;
      expect(example.name).toBe(`file ${index}.png`);
      expect(example.truth).toBe('abcd'[labels[index]!]);
      for (const [model, values] of [
        ['float', row(made.float, index, 4)],
        ['fake_quant', row(made.fakeQuant, index, 4)],
        ['int8', row(made.int8, index, 4).map(real)],
      ] as const) {
        const { best, margin } = sorted(values);
        expect(answerOf(example, model)).toMatchObject({ text: 'abcd'[best], right: best === labels[index] });
        expect(answerOf(example, model)?.margin).toBeCloseTo(margin, 6);
      }
      expect(example.values.map(({ code }) => code)).toEqual(row(made.int8, index, 4));
      expect(example.values.map(({ int8: value }) => value)).toEqual(row(made.int8, index, 4).map(real));
      expect(example.values.map(({ first }) => first)).toEqual(row(made.float, index, 4));
    }
  });

  it('compare with the QAT weights where there is no float model', () => {
    const { examples } = classify.measure(tested({ float: null }));
    const alone = Array.from(before, (index) => sorted(row(made.qatFloat, index, 4)));
    const rank = Array.from(before, lostFrom(made.qatFloat));
    const flipped = (index: number): boolean => alone[index]!.best === labels[index] && !is[index]!;
    expect(indicesOf(examples, 'Turned wrong')).toEqual(most(rank, flipped, 10));
    expect(examples.shown[0]?.answers[0]?.model).toBe('qat_float');
    expect(examples.groups[0]?.lead).toContain('float (QAT weights)');
  });

  it('list ten of many classes, with the right one and all answers', () => {
    const classNames = Array.from({ length: 40 }, (_, at) => `class ${at}`);
    const many = models(() => 0, 40 * count);
    const { examples } = classify.measure({
      ...testedOf({ task: 'classify', classNames, split }, [0], many),
    });
    for (const { truth, answers, values, hidden } of examples.shown) {
      expect([values.length, hidden]).toEqual([10, 30]);
      for (const name of [truth, ...answers.map(({ text }) => text)])
        expect(values.map((one) => one.name)).toContain(name);
    }
  });
});

describe('examples of a network that decides between two classes', () => {
  it('have the distance from the threshold as their margin', () => {
    const two = labels.map((label) => label % 2);
    const made = models((index) => (two[index] === 1 ? 0.4 : -0.4), count);
    const split = splitOf(count, { labels: two });
    const { examples, decision } = binary.measure(
      testedOf({ task: 'binary', classNames: ['no', 'yes'], split }, [0], { ...made, options: { threshold: 'half' } }),
    );
    const after = Array.from(made.int8, (code) => Math.abs(real(code) - (decision?.threshold.int8 ?? NaN)));
    const was = Array.from(made.float, (value, index) => value >= 0 === (two[index] === 1));
    const is = Array.from(made.int8, (code, index) => code >= 3 === (two[index] === 1));
    const lost = after.map((margin, index) => margin + Math.abs(made.float[index]!));
    expect(indicesOf(examples, 'Turned wrong')).toEqual(most(lost, (index) => was[index]! && !is[index]!, 10));
    expect(indicesOf(examples, 'Wrong in both')).toEqual(most(after, (index) => !was[index]! && !is[index]!, 5));
    for (const example of examples.shown) expect(answerOf(example, 'int8')?.margin).toBe(after[example.index]);
    expect(examples.threshold).toBe(0);
  });
});

describe('examples of a network that labels', () => {
  it('are ranked by the label that lost most', () => {
    const tags = ['x', 'y', 'z'];
    const truth = Float32Array.from({ length: 3 * count }, () => random.below(2));
    const made = models((at) => (truth[at] === 1 ? 0.4 : -0.4), 3 * count);
    const split = splitOf(count, { targets: truth });
    const { examples } = multiLabel.measure(testedOf({ task: 'multi_label', tags, split }, [0], made));
    const right = (value: number, at: number): boolean => value >= 0 === (truth[at] === 1);
    const lost = Array.from({ length: count }, (_, index) =>
      Math.max(
        -1,
        ...[0, 1, 2].map((label) => {
          const at = 3 * index + label;
          const [value, after] = [made.float[at]!, real(made.int8[at])];
          return right(value, at) && !right(after, at) ? Math.abs(value) + Math.abs(after) : -1;
        }),
      ),
    );
    expect(indicesOf(examples, 'Turned wrong')).toEqual(most(lost, (index) => lost[index]! >= 0, 10));
    for (const { index, values } of examples.shown)
      expect(values.map((one) => one.truth)).toEqual(row(truth, index, 3));
  });
});

describe('examples with an error', () => {
  it('of targets are those furthest from float, then those with the largest errors', () => {
    const targets = Float32Array.from({ length: 2 * count }, noise);
    // So many that some of them are of both kinds.
    const made = { ...models((at) => targets[at]!, 2 * count), numExamples: 60 };
    const columns = [
      { name: 'u', mean: 10, deviation: 2 },
      { name: 'v', mean: -5, deviation: 0.5 },
    ];
    const split = splitOf(count, { targets });
    const base = testedOf({ task: 'regress', split }, [0], made);
    const { examples } = regress.measure({ ...base, spec: { ...base.spec, targets: columns } });
    const mean = (index: number, of: (at: number) => number): number => (of(2 * index) + of(2 * index + 1)) / 2;
    const all = [...names.keys()];
    const far = all.map((index) => mean(index, (at) => Math.abs(real(made.int8[at]) - made.float[at]!)));
    const wrong = all.map((index) => mean(index, (at) => Math.abs(real(made.int8[at]) - targets[at]!)));
    const furthest = most(far, () => true, 60);
    expect(indicesOf(examples, 'Furthest from float')).toEqual(furthest);
    expect(most(wrong, () => true, 60).some((index) => furthest.includes(index))).toBe(true);
    expect(indicesOf(examples, 'Largest errors')).toEqual(most(wrong, (index) => !furthest.includes(index), 60));
    for (const example of examples.shown) {
      expect(answerOf(example, 'int8')?.error).toBeCloseTo(wrong[example.index]!, 6);
      const [u, v] = example.values;
      expect(u?.int8).toBeCloseTo(10 + 2 * real(made.int8[2 * example.index]), 6);
      expect(v?.truth).toBeCloseTo(-5 + 0.5 * targets[2 * example.index + 1]!, 6);
    }
  });

  it('of inputs are shown beside both reconstructions', () => {
    const pixels = Uint8Array.from({ length: 4 * count }, () => random.below(256));
    const made = models((at) => pixels[at]! / 64, 4 * count);
    const split = splitOf(count, { inputs: inputsOf(pixels, 4) });
    const base = testedOf({ task: 'reconstruct', split }, [0], made);
    const { examples } = reconstruct.measure({
      ...base,
      spec: { ...base.spec, image: [2, 2, 1], normalize: { scale: 1 / 64, mean: 0 } },
      dataset: { ...base.dataset, image: { height: 2, width: 2, channels: 1 } },
    });
    const squares = [...names.keys()].map(
      (index) =>
        row(made.int8, index, 4).reduce((sum, code, at) => sum + (real(code) - pixels[4 * index + at]! / 64) ** 2, 0) /
        4,
    );
    const shown = indicesOf(examples, 'Furthest from float');
    expect(indicesOf(examples, 'Largest errors')).toEqual(most(squares, (index) => !shown.includes(index), 5));
    for (const { index, views } of examples.shown) {
      const found = Object.fromEntries(
        views.map(({ title, view }) => [title, view.kind === 'picture' ? [...Buffer.from(view.pixels, 'base64')] : []]),
      );
      const clipped = (reals: readonly number[]) =>
        reals.map((value) => Math.max(0, Math.min(255, Math.round(64 * value))));
      expect(found).toEqual({
        input: row(pixels, index, 4),
        float: clipped(row(made.float, index, 4)),
        int8: clipped(row(made.int8, index, 4).map(real)),
      });
    }
  });
});

describe('examples of a network that segments', () => {
  it('are those of which most pixels turned wrong', () => {
    const masks = Uint8Array.from({ length: 9 * count }, () => random.below(3));
    const made = models((at) => (masks[Math.floor(at / 3)] === at % 3 ? 0.6 : 0), 27 * count);
    const split = splitOf(count, { masks: inputsOf(masks, 9) });
    const base = testedOf({ task: 'segment', classNames: ['a', 'b', 'c'], split }, [0], made);
    const { examples } = segment.measure({ ...base, spec: { ...base.spec, image: [3, 3, 1] } });
    const best = (values: ArrayLike<number>, pixel: number): number => sorted(row(values, pixel, 3)).best;
    const turned = [...names.keys()].map(
      (index) =>
        [...Array(9).keys()].filter((at) => {
          const pixel = 9 * index + at;
          return best(made.float, pixel) === masks[pixel] && best(made.int8, pixel) !== masks[pixel];
        }).length,
    );
    expect(indicesOf(examples, 'Pixels turned wrong')).toEqual(most(turned, (index) => turned[index]! > 0, 5));
    expect(foundOf(examples, 'Pixels turned wrong')).toBe(turned.filter((pixels) => pixels > 0).length);
    const { index, views } = examples.shown[0]!;
    const labelsIn = (title: string): number[] => {
      const view = views.find((one) => one.title === title)?.view;
      return view?.kind === 'mask' ? [...Buffer.from(view.labels, 'base64')] : [];
    };
    expect(labelsIn('mask')).toEqual(row(masks, index, 9));
    expect(labelsIn('int8')).toEqual([...Array(9).keys()].map((at) => best(made.int8, 9 * index + at)));
  });
});
