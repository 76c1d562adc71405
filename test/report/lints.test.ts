import { describe, expect, it } from 'vitest';
import { foundText, groupLints } from '../../src/report/lints.ts';
import type { Lint } from '../../src/report/lints.ts';
import { buildReport } from '../../src/report/build-report.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import type { TestMetrics } from '../../src/measurements/metrics.ts';
import { conversion, qatTraining, run, stages, test } from './fixtures.ts';

type Layer = TestMetrics['layers'][number];

const lints = (record: RunRecord): Lint[] => buildReport(record).lints;
const codes = (record: RunRecord): string[] => lints(record).map(({ code }) => code);
const withTest = (changes: Partial<TestMetrics>): RunRecord => ({
  ...run,
  stages: [...run.stages.slice(0, -1), { ...stages.test, metrics: { ...test, ...changes } }],
});
const withQat = (changes: object): RunRecord => ({
  ...run,
  stages: [{ ...stages.qat, metrics: { ...qatTraining, ...changes } }],
});
/** Lints of the sound run with other facts of conv2, whose 16 channels have a scale each. */
const withLayer = (changes: Partial<Layer>): Lint[] =>
  lints(withTest({ layers: test.layers.map((one) => (one.name === 'conv2/relu' ? { ...one, ...changes } : one)) }));
const conv2 = test.layers.find(({ name }) => name === 'conv2/relu')!;
const withFilter = (changes: Partial<NonNullable<Layer['filter']>>, others: Partial<Layer> = {}): Lint[] =>
  withLayer({ filter: { ...conv2.filter!, ...changes }, ...others });

const drop: (typeof test.gates)[number] = {
  ...{ name: 'drop_max', rule: 'at_most', unit: 'share_difference' },
  ...{ ok: true, value: 0.0008, limit: 0.01 },
};

describe('lints', () => {
  it('are silent for a sound run', () => {
    expect(codes(run)).toEqual([]);
  });

  it('say where, what was found, what was expected and what to do', () => {
    const [found] = withLayer({ clipped: { below: 0.002, above: 0.03, noiseShare: 0.9 } });
    expect(found).toMatchObject({ code: 'clipped-share', severity: 'warning', stage: 'test', layer: 'conv2/relu' });
    expect(found?.found.replaceAll('\u202f', ' ')).toBe('0.20 % of its values lie below its range and 3.00 % above');
    expect(found?.expected?.replaceAll('\u202f', ' ')).toContain('at most 1.00 % in total');
    expect(found?.remedy).toContain('`ranges: running_extremes`');
  });

  describe('of ranges', () => {
    it('tell one with fewer updates than the moving average remembers, by name', () => {
      const ranges = qatTraining.level === 'qat' ? qatTraining.ranges : [];
      const cold = ranges.map((range, index) => ({ ...range, updates: index === 2 ? 99 : 100 }));
      // A decay of 0.99 remembers 1 / (1 - 0.99) = 100 batches.
      expect(lints(withQat({ ranges: cold })).map(({ code, layer }) => [code, layer])).toEqual([
        ['cold-range', 'conv2/relu'],
      ]);
    });

    it('tell one that is empty, and whether it ever was wider', () => {
      const ranges = qatTraining.level === 'qat' ? qatTraining.ranges : [];
      const closed = ranges.map((range, index) => {
        if (index === 2) return { ...range, min: 0, max: 0 };
        return index === 3 ? { ...range, min: 0, max: 0, history: [{ step: 1, min: 0, max: 0 }] } : range;
      });
      const found = lints(withQat({ ranges: closed })).map(({ code, layer, found: words }) => [code, layer, words]);
      expect(found).toEqual([
        ['empty-range', ranges[2]!.name, expect.stringContaining('the layer is dead')],
        ['empty-range', ranges[3]!.name, expect.stringContaining('no range was observed')],
      ]);
    });

    it('do not ask for warm extremes: they hold from the first batch on', () => {
      const estimator = { kind: 'running_extremes', decay: 0.99 } as const;
      const ranges = qatTraining.level === 'qat' ? qatTraining.ranges : [];
      const few = ranges.map((range) => ({ ...range, updates: 3 }));
      expect(codes(withQat({ estimator, ranges: few, delay: 2 }))).toEqual([]);
    });

    it('tell a delay that never ends', () => {
      expect(codes(withQat({ delay: 1720 }))).toEqual(['delay-too-long']);
      expect(codes(withQat({ delay: 0 }))).toEqual([]);
    });

    it('tell more than one clipped value in a hundred, on both sides together', () => {
      expect(withLayer({ clipped: { below: 0.005, above: 0.005, noiseShare: 0 } })).toEqual([]);
      expect(withLayer({ clipped: { below: 0.006, above: 0.005, noiseShare: 0 } })).toHaveLength(1);
    });

    it('tell one that reaches more than four times as far as nearly all values', () => {
      expect(withLayer({ headroom: 4 })).toEqual([]);
      expect(withLayer({ headroom: 4.1 })).toMatchObject([{ code: 'outlier-range', severity: 'warning' }]);
    });

    it('tell an output of few codes, if it has enough values to say so', () => {
      expect(withLayer({ usedCodes: 32 })).toEqual([]);
      expect(withLayer({ usedCodes: 31 })).toMatchObject([{ code: 'few-codes', severity: 'warning' }]);
      // 64 images of 15 values are 960, fewer than 1,024.
      expect(withLayer({ usedCodes: 31, shape: [1, 15] })).toEqual([]);
    });

    it('say nothing where the range is not the layer its own', () => {
      const bad = { clipped: { below: 0, above: 0.5, noiseShare: 1 }, headroom: 9, usedCodes: 2 };
      expect(withLayer({ ...bad, range: 'shared' })).toEqual([]);
      expect(withLayer({ ...bad, range: 'fixed' })).toEqual([]);
    });
  });

  describe('of weights', () => {
    it('tell a multiplier that kernels take for zero, and one that moves the output through all codes', () => {
      const severity = (min: number, max: number) =>
        withFilter({ multipliers: { min, max } }).map((one) => [one.code, one.severity]);
      expect(severity(2 ** -32, 0.999)).toEqual([]);
      expect(severity(2 ** -33, 0.5)).toEqual([['multiplier-out-of-range', 'warning']]);
      expect(severity(0.1, 1)).toEqual([['multiplier-out-of-range', 'note']]);
      expect(severity(0.1, 255)).toEqual([['multiplier-out-of-range', 'note']]);
      expect(severity(0.1, 256)).toEqual([['multiplier-out-of-range', 'warning']]);
    });

    it('tell channels that never change: a note, from a quarter of them on a warning', () => {
      expect(withFilter({ deadChannels: 1, constantChannels: 4 })).toMatchObject([
        {
          code: 'dead-channels',
          severity: 'note',
          found: '4 of its 16 channels have the same value whatever the input, 1 because all their weights are 0',
        },
      ]);
      expect(withFilter({ deadChannels: 5 })).toMatchObject([{ code: 'dead-channels', severity: 'warning' }]);
    });

    it('tell channels that reach 16 times as far as others where all share a scale, 1,000 times where none does', () => {
      const ratio = (max: number, weightScales: Layer['weightScales']) =>
        withFilter({ ranges: { min: 0.5, max } }, { weightScales }).map((one) => [one.code, one.severity]);
      const each = conv2.weightScales;
      expect(ratio(500, each)).toEqual([]);
      expect(ratio(500.5, each)).toEqual([['weight-range-ratio', 'note']]);
      for (const one of [null, { min: 0.01, max: 0.01, count: 1 }]) {
        expect(ratio(8, one)).toEqual([]);
        expect(ratio(8.5, one)).toEqual([['weight-range-ratio', 'warning']]);
      }
    });

    it('say nothing of ratios and multipliers where every channel is dead', () => {
      const found = withFilter({ deadChannels: 16, constantChannels: 16, ranges: null, multipliers: null });
      expect(found.map(({ code }) => code)).toEqual(['dead-channels']);
    });

    it('repeat what conversion changed', () => {
      const adjusted = { ...stages.convert, metrics: { ...conversion, adjustments: ['conv1: channel 2 raised'] } };
      expect(lints({ ...run, stages: [adjusted] })).toMatchObject([
        { code: 'adjusted', found: 'conv1: channel 2 raised' },
      ]);
    });
  });

  describe('of runtimes', () => {
    it('tell a kernel that by itself leaves fake-quant by more than a step', () => {
      expect(withLayer({ kernel: { sqnrDb: 30, withinOneStep: 0.995 }, withinOneStep: 0.8 })).toEqual([]);
      expect(withLayer({ kernel: { sqnrDb: 30, withinOneStep: 0.994 } })).toMatchObject([
        { code: 'kernel-disagreement', severity: 'warning' },
      ]);
    });

    it('tell LiteRT that chooses other labels, or did not run', () => {
      expect(codes(withTest({ agreement: { ...test.agreement, int8_vs_litert: 0.994 } }))).toEqual([
        'runtimes-disagree',
      ]);
      expect(codes(withTest({ litertNote: 'softmax of uint8 is not supported' }))).toEqual(['litert']);
    });

    it('lead with a model that gives one answer, or is no better than one', () => {
      const twoClasses = (confusion: number[][]) => {
        const n = confusion.flat().reduce((sum, count) => sum + count, 0);
        const right = confusion.map((row, label) => row[label]!);
        const correct = right.reduce((sum, count) => sum + count, 0);
        const int8 = { top1: correct / n, correct, n };
        const correctByClass = { ...test.correctByClass, int8: right };
        return withTest({ n, classes: ['ok', 'bad'], confusion, correctByClass, accuracy: { ...test.accuracy, int8 } });
      };
      const [constant] = lints(twoClasses([[950, 0], [50, 0]])); // prettier-ignore
      expect(constant).toMatchObject({ code: 'ignores-input', severity: 'warning' });
      expect(constant!.found.replaceAll('\u202f', ' ')).toContain(
        'answers ok for every example (recall: ok 100.00 %, bad 0.00 %)',
      );
      // 945 + 5 of 1000 are right, as many as by always saying ok.
      const [idle] = lints(twoClasses([[945, 5], [45, 5]])); // prettier-ignore
      expect(idle!.found).toContain('no better than always answering ok');
      expect(codes(twoClasses([[945, 5], [5, 45]]))).not.toContain('ignores-input'); // prettier-ignore
      const [single] = lints(twoClasses([[100, 0], [0, 0]])); // prettier-ignore
      expect(single!.found).toContain('all test examples are of one class, ok');
      expect(codes(twoClasses([[4, 0], [0, 0]]))).not.toContain('ignores-input'); // prettier-ignore
    });

    it('say which branch keeps few codes beside a wider one', () => {
      const narrowed = { by: 'joined', codes: 2, widest: 'box', times: 100 };
      const found = withLayer({ narrowed });
      expect(found).toMatchObject([{ code: 'narrow-branch', severity: 'warning', layer: 'conv2/relu' }]);
      expect(found[0]!.found).toBe(
        'only 2 of 256 codes are left of its values in joined, where box is 100 times wider',
      );
      expect(withLayer({ narrowed: { ...narrowed, codes: 16 } })).toEqual([]);
      expect(withLayer({ narrowed: { ...narrowed, times: 1.5 } })).toEqual([]);
    });

    it('say nothing of channels that never change when there are few images to change them', () => {
      const filter = { ...test.layers[3]!.filter!, constantChannels: 9 };
      const layers = test.layers.map((layer, index) => (index === 3 ? { ...layer, filter } : layer));
      expect(codes(withTest({ layers, compared: 16 }))).toEqual(['dead-channels']);
      expect(codes(withTest({ layers, compared: 15 }))).toEqual([]);
      const dead = layers.map((layer, index) =>
        index === 3 ? { ...layer, filter: { ...filter, deadChannels: 9 } } : layer,
      );
      expect(codes(withTest({ layers: dead, compared: 1 }))).toEqual(['dead-channels']);
    });

    it('tell a test split too small for the gate, and a missing baseline', () => {
      // Of 10,000 examples, 15 + 7 that differ tell a drop of 0.08 points to within 1.96 sqrt(22 + 1) / 10,002 = 0.094.
      const allowing = (limit: number) => codes(withTest({ gates: [{ ...drop, limit }] }));
      expect([allowing(0.0009), allowing(0.00095)]).toEqual([['n-too-small'], []]);
      // Wilson: of 100 examples with 98 % right 93.0 to 99.4 %, of 400 96.1 to 99.0 %.
      const tested = (n: number) => ({ accuracy: { ...test.accuracy, int8: { top1: 0.98, correct: 0.98 * n, n } } });
      expect(codes(withTest({ ...tested(100), gates: [] }))).toEqual(['n-too-small']);
      expect(codes(withTest({ ...tested(400), gates: [] }))).toEqual([]);
      expect(codes(withTest({ accuracy: { ...test.accuracy, float: null } }))).toEqual(['no-baseline']);
    });
  });
});

describe('warnings of the run record', () => {
  const warning = { code: 'short-delay', layer: null, message: 'quantizes from step 3 on', hint: 'a delay of 100' };

  it('are lints like all others, and lead', () => {
    const [first, ...others] = lints({ ...withTest({ litertNote: 'off' }), warnings: [warning] });
    expect(first).toMatchObject({ code: 'short-delay', severity: 'warning', stage: null, remedy: 'a delay of 100' });
    expect(others.map(({ code }) => code)).toEqual(['litert']);
    expect(foundText(groupLints([first!])[0]!)).toBe('quantizes from step 3 on');
  });

  it('of one kind are grouped by layer, and stand alone without one', () => {
    const layers = ['conv1', 'conv2'].map((layer) => ({ ...warning, layer, message: `layer ${layer} differs` }));
    const settings = ['pretrain', 'qat'].map((stage) => ({ ...warning, message: `${stage} quantizes early` }));
    const texts = groupLints(lints({ ...run, warnings: [...layers, ...settings] })).map(foundText);
    expect(texts).toEqual(['layer conv1 differs (also conv2)', 'pretrain quantizes early', 'qat quantizes early']);
  });
});

describe('groups of lints', () => {
  const layers = test.layers.map((one) =>
    one.range === 'own' ? { ...one, clipped: { below: 0, above: 0.001 * one.usedCodes!, noiseShare: 0 } } : one,
  );
  const groups = groupLints(lints(withTest({ layers, litertNote: 'off' })));

  it('name the worst layer and the next two', () => {
    // By the used codes: input 256, conv1 255, conv2 251, dense1 243, dense2 238, logits 221.
    expect(groups[0]?.worst.layer).toBe('input');
    expect(groups[0]?.others).toHaveLength(5);
    expect(foundText(groups[0]!)).toMatch(/^test, input: .* \(also conv1\/relu, conv2\/relu and 3 more\)$/);
  });

  it('put notes last', () => {
    expect(groups.map(({ worst }) => [worst.severity, worst.code])).toEqual([
      ['warning', 'clipped-share'],
      ['note', 'litert'],
    ]);
  });
});
