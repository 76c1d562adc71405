/** Curves, ranges and validations of a report are what TensorFlow and NumPy find in the files of its run. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/core/assert.ts';
import { makeWorkspace } from '../e2e/workspace.ts';
import type { Axis, Place } from './page-reading.ts';
import {
  PIXELS,
  chartsOf,
  dotsOf,
  heightAxis,
  linesOf,
  marksOf,
  numberOf,
  stepAxis,
  tableOf,
  trackAxis,
  zoomedOf,
} from './page-reading.ts';
import type { Oracle, OracleValue } from './oracle.ts';
import { hasOracle, openOracle } from './oracle.ts';
import type { NumbersRun } from './report-run.ts';
import { classes, counts, runForNumbers, runOnStripes } from './report-run.ts';

const STEPS = 24;
const DELAY = 10;
/** Behind the first quantized steps, a value at the edge of two codes gets the other one, and the trainings part. */
const EXACT = DELAY + 1;
const apart = (step: number): number => (step <= EXACT ? PIXELS : 3);
const rates = { rate: 0.02, warmup: 0.25, change: [DELAY, 0.06] } as const;

/** All examples are one batch, so that no order of them need be known to repeat the training. */
const whole = `version: 1
name: whole
data: { source: npz, path: arrays, normalize: { scale: 1/255 } }
model:
  layers:
    - { kind: conv_2d, name: conv, filters: 4, kernel: 3, activation: relu }
    - { kind: flatten }
    - { kind: fully_connected, name: logits, units: ${classes} }
stages:
  pretrain: { uses: float-pretrain, epochs: 3, batch: 50, optimizer: { kind: sgd, learning_rate: 0.02 } }
  qat:
    uses: qat
    from: pretrain
    epochs: ${STEPS}
    batch: ${counts.train}
    keep: best
    delay: ${DELAY}
    ranges: moving_average
    ema_decay: 0.9
    learning_rate_at_delay: ${rates.change[1]}
    optimizer: { kind: sgd, learning_rate: ${rates.rate}, momentum: 0.9, schedule: cosine, warmup: ${rates.warmup} }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
`;

interface Range {
  readonly frozen: readonly [min: number, max: number];
  readonly codes: readonly [min: number, max: number];
  readonly scale: number;
}

interface Step {
  readonly [name: string]: number;
  readonly loss: number;
}

type Validations = Readonly<Record<'pretrain' | 'qat', { readonly share: number; readonly loss: number }>>;

describe.skipIf(!hasOracle)('the training in a report', { timeout: 120_000 }, () => {
  const spaces = [makeWorkspace(), makeWorkspace()] as const;
  let oracle: Oracle | undefined;
  let [small, repeated]: (NumbersRun | undefined)[] = [];

  beforeAll(async () => {
    oracle = openOracle();
    small = await runForNumbers(spaces[0]);
    repeated = await runOnStripes(spaces[1], whole);
  });
  afterAll(() => oracle?.close());

  const ask = async <T>(of: NumbersRun, expression: string, values: Record<string, OracleValue> = {}): Promise<T> => {
    const names = { run: of.run, data: of.data, ...values };
    return (await present(oracle, 'the oracle').evaluate(`report_training.${expression}`, names)) as unknown as T;
  };
  const chart = ({ html }: NumbersRun, title: string): string => present(chartsOf(html, `${title}: `)[0], title);

  it('validation: what the models of the last epochs answer', async () => {
    const one = present(small, 'the run');
    const theirs = await ask<Validations>(one, 'validation(run, data)');
    const rows = tableOf(one.html, 'Last validation top-1');
    const [loss, accuracy] = [chart(one, 'Loss'), chart(one, 'Accuracy')];
    for (const [index, stage] of (['pretrain', 'qat'] as const).entries()) {
      const { share, loss: entropy } = theirs[stage];
      expect(rows[index]?.['Last validation top-1']).toBe(`${(100 * share).toFixed(2)} %`);
      const step = stage === 'pretrain' ? 75 : 90;
      expectAt(dotsOf(loss, `dot c${index}`).at(-1), [step, entropy], stepAxis(loss), heightAxis(loss, 'logarithmic'));
      expectAt(
        dotsOf(accuracy, `dot c${index}`).at(-1),
        [step, share],
        stepAxis(accuracy),
        heightAxis(accuracy, 'linear'),
      );
      expect(zoomedOf(loss).series[2 * index + 1]?.y.at(-1)).toBeCloseTo(entropy, 4);
    }
  });

  it('loss and accuracy: single batches, and what they are averaged to', async () => {
    const one = present(small, 'the run');
    const rows = tableOf(one.html, 'Last validation top-1');
    for (const [title, name, scale] of [
      ['Loss', 'loss', 'logarithmic'],
      ['Accuracy', 'accuracy', 'linear'],
    ] as const) {
      const drawing = chart(one, title);
      const [across, up] = [stepAxis(drawing), heightAxis(drawing, scale)];
      expect(Math.max(across.astray, up.astray), title).toBeLessThan(PIXELS);
      for (const [index, stage] of (['pretrain', 'qat'] as const).entries()) {
        const raw = await ask<number[]>(one, 'recorded(run, stage, name)', { stage, name });
        const line = await ask<number[]>(one, 'averages(values)', { values: raw });
        const before = index === 0 ? 0 : 75;
        expectLine(linesOf(drawing, `curve raw c${index}`)[0], raw, { before, across, up });
        expectLine(linesOf(drawing, `curve c${index} noisy`)[0], line, { before, across, up });
        const zoomed = present(zoomedOf(drawing).series[2 * index], stage);
        expect(zoomed).toMatchObject({
          name: stage,
          x: raw.map((_, step) => before + step + 1),
          y: raw.map(fiveDigits),
        });
        expect(zoomed.line?.y).toEqual(line.map((value): unknown => expect.closeTo(value, 4)));
        if (name === 'loss') {
          const last = raw.slice(-15);
          expect(rows[index]?.['Last train loss']).toBe((last.reduce((sum, value) => sum + value, 0) / 15).toFixed(4));
        }
      }
    }
  });

  it('the learning rate, and where stages start and the delay ends', async () => {
    for (const [of, before, asked] of [
      [small, 75, { steps: 15, rate: 0.03, warmup: 0, change: null, delay: 2 }],
      [repeated, 30, { steps: STEPS, ...rates, delay: DELAY }],
    ] as const) {
      const drawing = chart(present(of, 'the run'), 'Learning rate');
      const theirs = await ask<number[]>(present(of, 'the run'), 'rates(steps, rate, warmup, change)', asked);
      const [across, up] = [stepAxis(drawing), heightAxis(drawing, 'linear')];
      expect(Math.max(across.astray, up.astray)).toBeLessThan(PIXELS);
      expectLine(linesOf(drawing, 'curve c1 exact')[0], theirs, { before, across, up });
      expect(marksOf(drawing)).toEqual({
        'qat starts': near(across.place(before)),
        'delay ends': near(across.place(before + asked.delay)),
      });
    }
    const drawing = chart(present(small, 'the run'), 'Learning rate');
    const first = await ask<number[]>(present(small, 'the run'), 'rates(steps, rate)', { steps: 75, rate: 0.004 });
    expectLine(linesOf(drawing, 'curve c0 exact')[0], first, {
      before: 0,
      across: stepAxis(drawing),
      up: heightAxis(drawing, 'linear'),
    });
  });

  it('ranges end where the frozen graph and the .tflite file have them', async () => {
    const one = present(small, 'the run');
    const theirs = await ask<Readonly<Record<string, Range>>>(one, 'ranges(run)');
    const drawings = chartsOf(one.html, 'range of ');
    const rows = tableOf(one.html, 'Tensor');
    expect(rows.map(({ Tensor }) => Tensor)).toEqual(Object.keys(theirs));
    expect(drawings).toHaveLength(rows.length);
    for (const [index, range] of Object.values(theirs).entries()) {
      expectEnd(present(drawings[index], 'a track'), range.frozen, 15, 2);
      expectNear(rows[index], range);
    }
  });

  it('a whole training repeated: losses, ranges, and the step from which it is quantized', async () => {
    const one = present(repeated, 'the run');
    const learned = await ask<number[]>(one, 'rates(steps, rate, warmup, change)', { steps: STEPS, ...rates });
    const options = {
      ...{ delay: DELAY, freeze_delay: STEPS + 1, decay: 0.9, symmetric: true, input_range: [0, 1] },
      ...{ batch_norm: 'none', epsilon: 1e-3, dense_per_channel: true, momentum: 0.9, batch_norm_momentum: 0.99 },
    };
    const theirs = await ask<Step[]>(one, 'repeat(run, data, options, rates)', { options, rates: learned });
    const drawing = chart(one, 'Loss');
    const losses = theirs.map(({ loss }) => loss);
    const shown = present(zoomedOf(drawing).series[2], 'the training');
    expect(shown.y.slice(0, EXACT)).toEqual(losses.slice(0, EXACT).map((loss): unknown => expect.closeTo(loss, 4)));
    const [across, up] = [stepAxis(drawing), heightAxis(drawing, 'logarithmic')];
    expectLine(linesOf(drawing, 'curve raw c1')[0], losses, { before: 30, across, up, apart });
    const best = Number(tableOf(one.html, 'Best epoch')[1]?.['Best epoch']);
    // So that what is kept is not what the tracks end with.
    expect(best).toBeGreaterThanOrEqual(DELAY);
    expect(best).toBeLessThanOrEqual(EXACT);
    for (const [index, layer] of ['conv', 'logits'].entries()) {
      const track = present(chartsOf(one.html, 'range of ')[index], layer);
      const place = { before: 0, across: trackAxis(track), up: heightAxis(track, 'linear'), apart };
      for (const [line, end] of (['max', 'min'] as const).entries()) {
        const values = theirs.map((step) => step[`${layer}/act_quant/${end}`] ?? NaN);
        expectLine(linesOf(track, 'curve c1')[line], values, place);
        const column = end === 'max' ? 'Max' : 'Min';
        const row = present(tableOf(one.html, 'Tensor')[index], layer);
        expect(numberOf(row[column] ?? '')).toBeCloseTo(values[best - 1] ?? NaN, 3);
        expect(row['Updates']).toBe(String(best));
      }
      expect(marksOf(track)).toEqual({ 'delay ends': near(place.across.place(DELAY)) });
    }
  });

  it('of a training that keeps its best epoch, the ranges and the validation of that one', async () => {
    const one = present(repeated, 'the run');
    const [rows, theirs] = [
      tableOf(one.html, 'Tensor'),
      await ask<Readonly<Record<string, Range>>>(one, 'ranges(run)'),
    ];
    expect(rows.map(({ Tensor }) => Tensor)).toEqual(Object.keys(theirs));
    for (const [index, range] of Object.values(theirs).entries()) expectNear(rows[index], range);
    const { qat } = await ask<Validations>(one, 'validation(run, data)');
    const best = Number(tableOf(one.html, 'Best epoch')[1]?.['Best epoch']);
    const drawing = chart(one, 'Loss');
    const dot = dotsOf(drawing, 'dot c1')[best - 1];
    expectAt(dot, [30 + best, qat.loss], stepAxis(drawing), heightAxis(drawing, 'logarithmic'));
  });
});

const near = (place: number): unknown => expect.closeTo(place, 0);
const fiveDigits = (value: number): number => Number(value.toPrecision(5));

function expectAt(drawn: Place | undefined, [x, y]: Place, across: Axis, up: Axis, pixels = PIXELS): void {
  const [left = NaN, top = NaN] = drawn ?? [];
  expect(Math.abs(left - across.place(x)), `step ${x}`).toBeLessThan(PIXELS);
  expect(Math.abs(top - up.place(y)), `${y} at step ${x}`).toBeLessThan(pixels);
}

interface LinePlace {
  /** Steps of the trainings before. */
  readonly before: number;
  readonly across: Axis;
  readonly up: Axis;
  /** Pixels that the value of a step may be off; default: what rounding leaves. */
  readonly apart?: (step: number) => number;
}

/** One value for each step. */
function expectLine(
  drawn: readonly Place[] | undefined,
  values: readonly number[],
  { before, across, up, apart = () => PIXELS }: LinePlace,
): void {
  expect(drawn).toHaveLength(values.length);
  for (const [index, value] of values.entries()) {
    expectAt(drawn?.[index], [before + index + 1, value], across, up, apart(index + 1));
  }
}

/** Both lines of a track end at the range, and the delay is marked where it ends. */
function expectEnd(drawing: string, [min, max]: Range['frozen'], steps: number, delay: number): void {
  const [across, up] = [trackAxis(drawing), heightAxis(drawing, 'linear')];
  const [upper, lower] = linesOf(drawing, 'curve c1');
  expectAt(upper?.at(-1), [steps, max], across, up);
  expectAt(lower?.at(-1), [steps, min], across, up);
  expect(upper).toHaveLength(steps);
  expect(marksOf(drawing)).toEqual({ 'delay ends': near(across.place(delay)) });
}

/** A row has the range to four digits; codes are spread over it by at most half a step at each end. */
function expectNear(row: Record<string, string> | undefined, { frozen, codes, scale }: Range): void {
  for (const [end, column] of ['Min', 'Max'].entries()) {
    const [value = NaN, reached = NaN] = [frozen[end], codes[end]];
    expect(numberOf(row?.[column] ?? '')).toBe(Number(value.toPrecision(4)));
    expect(Math.abs(reached - value)).toBeLessThanOrEqual(scale / 2 + 1e-6);
  }
}
