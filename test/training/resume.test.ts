/** A training that was interrupted ends with the bytes of one that was not. */
import { describe, expect, it } from 'vitest';
import { wasmEngine } from '../../src/engine/wasm/index.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { variablesOf } from '../../src/graph/graph.ts';
import { decodeTrainState, encodeTrainState } from '../../src/training/state.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import type { Kind } from './trainings.ts';
import { attempt, constant, graphOf, keepStates, kinds, options, perEpoch } from './trainings.ts';

const engine = wasmEngine;
const total = options.epochs * perEpoch;
const names = Object.keys(kinds) as Kind[]; // Object.keys loses the key type
const everyStep = { checkpoint: { seconds: 1e9, steps: 1 } } as const;

/** Of an interrupted training as of any other; what it says of the interruption is only in the events. */
const undisturbed = async (kind: Kind, changes = {}): Promise<string | null> =>
  (await attempt({ kind, engine, changes })).result;

describe.each(names)('%s', (kind) => {
  const whole = undisturbed(kind);

  it('goes on behind any step in which it was stopped', { timeout: 60_000 }, async () => {
    for (let step = 1; step <= total; step++) {
      const checkpoints = keepStates();
      const stopped = await attempt({ kind, engine, checkpoints, stopIn: step });
      // The step is finished, and no other begins.
      expect(
        checkpoints.states.map((state) => state.step),
        `stopped in step ${step}`,
      ).toEqual([step]);
      expect(stopped.result).toBeNull();
      const next = await attempt({ kind, engine, checkpoints });
      expect(next.steps).toBe(total - step);
      expect(next.result, `stopped in step ${step}`).toBe(await whole);
      expect(next.emitted[0]).toMatchObject({ kind: 'resumed', step, totalSteps: total, resumedAt: [step] });
    }
  });

  it('goes on when it is stopped in every step', { timeout: 60_000 }, async () => {
    const checkpoints = keepStates();
    for (let step = 1; step <= total; step++) await attempt({ kind, engine, checkpoints, stopIn: 1 });
    const last = await attempt({ kind, engine, checkpoints });
    expect(last.steps).toBe(0);
    expect(last.result).toBe(await whole);
    const resumedAt = Array.from({ length: total }, (_, index) => index + 1);
    expect(last.emitted[0]).toMatchObject({ kind: 'resumed', epoch: 3, resumedAt });
  });

  it('goes on when it is stopped in a validation', async () => {
    for (let epoch = 1; epoch <= options.epochs; epoch++) {
      const checkpoints = keepStates();
      await attempt({ kind, engine, checkpoints, stopInValidation: epoch });
      expect(checkpoints.states.map(({ step }) => step)).toEqual([epoch * perEpoch]);
      expect((await attempt({ kind, engine, checkpoints })).result, `epoch ${epoch}`).toBe(await whole);
    }
  });

  it('goes on from every state that it saves, and saving changes nothing', { timeout: 60_000 }, async () => {
    const checkpoints = keepStates();
    const saved = await attempt({ kind, engine, checkpoints, changes: everyStep });
    expect(saved.result).toBe(await whole);
    const steps = checkpoints.states.map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    for (const state of checkpoints.states.filter((_state, index) => index % 4 === 1)) {
      const next = await attempt({ kind, engine, checkpoints: keepStates([state]) });
      expect(next.result, `step ${state.step}`).toBe(await whole);
    }
  });

  it('has a state of one form, with all variables of its graph', async () => {
    const checkpoints = keepStates();
    await attempt({ kind, engine, checkpoints, stopIn: 9 });
    const [state] = checkpoints.states;
    const graph = graphOf(kinds[kind]);
    const decoded = decodeTrainState(state!.bytes, graph, 'a state');
    expect(Buffer.from(encodeTrainState(decoded)).equals(Buffer.from(state!.bytes))).toBe(true);
    const stored = [...readSafetensors(state!.bytes, 'a state').tensors.keys()];
    const variables = variablesOf(graph).map(({ name }) => `variables/${name}`);
    expect(stored.toSorted()).toEqual([...variables, 'losses'].toSorted());
  });
});

describe('a training with a schedule that does not depend on its length', () => {
  const kind = 'moving averages, kept batch norm';
  const long = { epochs: 16, schedule: constant };

  it('goes on to more epochs as if it had been that long from the start', async () => {
    const checkpoints = keepStates();
    await attempt({ kind, engine, checkpoints, changes: { ...long, epochs: 5 } });
    const next = await attempt({ kind, engine, checkpoints, changes: long });
    // More steps than points of a range are kept, so that some are dropped on the way.
    expect(next.steps).toBe(11 * perEpoch);
    expect(next.trained?.metrics.steps).toBeGreaterThan(80);
    expect(next.result).toBe(await undisturbed(kind, long));
  });

  it('does not go on from behind its end', async () => {
    const checkpoints = keepStates();
    await attempt({ kind, engine, checkpoints, changes: { ...long, epochs: 4 } });
    const short = await attempt({ kind, engine, checkpoints, changes: { ...long, epochs: 3 } });
    expect(short.steps).toBe(3 * perEpoch);
    expect(short.result).toBe(await undisturbed(kind, { ...long, epochs: 3 }));
    expect(short.emitted[0]).toMatchObject({
      kind: 'log',
      message: `the state saved after step ${4 * perEpoch} is not used: it is behind the last step, ${3 * perEpoch}`,
    });
  });
});

describe('early stopping and the best weights', () => {
  const kind = 'float';
  const judged = { epochs: 8, schedule: constant, keep: 'best', patience: 2 } as const;

  it('are the same whenever the training is stopped', { timeout: 60_000 }, async () => {
    const whole = await attempt({ kind, engine, changes: judged });
    const { steps, bestEpoch, stoppedEarly } = whole.trained!.metrics;
    // Otherwise this would show little.
    expect({ stoppedEarly, isLast: bestEpoch! * perEpoch === steps }).toEqual({ stoppedEarly: true, isLast: false });
    for (let step = 1; step <= steps; step += 3) {
      const checkpoints = keepStates();
      await attempt({ kind, engine, checkpoints, changes: judged, stopIn: step });
      const next = await attempt({ kind, engine, checkpoints, changes: judged });
      expect(next.result, `stopped in step ${step}`).toBe(whole.result);
    }
  });

  it('are those of the patience now, and not of the one with which a state was saved', async () => {
    const checkpoints = keepStates();
    const patient = { ...judged, patience: null };
    await attempt({ kind, engine, checkpoints, changes: patient });
    const next = await attempt({ kind, engine, checkpoints, changes: judged });
    expect(next.result).toBe(await undisturbed(kind, judged));
    expect(next.emitted[0]).toMatchObject({ message: expect.stringContaining('where this training ends') as unknown });
    // The other way round there is nothing to be thrown away.
    const stopped = keepStates();
    await attempt({ kind, engine, checkpoints: stopped, changes: judged });
    const more = await attempt({ kind, engine, checkpoints: stopped, changes: patient });
    expect(more.result).toBe(await undisturbed(kind, patient));
    expect(more.steps).toBeLessThan(judged.epochs * perEpoch);
  });

  it('are not lost where the last weights were asked for before', async () => {
    const checkpoints = keepStates();
    const last = { ...judged, keep: 'last', epochs: 3 } as const;
    await attempt({ kind, engine, checkpoints, changes: last });
    const best = await attempt({ kind, engine, checkpoints, changes: judged });
    expect(best.result).toBe(await undisturbed(kind, judged));
    expect(best.emitted[0]).toMatchObject({ message: expect.stringContaining('the best weights') as unknown });
    const back = await attempt({ kind, engine, checkpoints, changes: { ...last, epochs: 8, patience: 2 } });
    expect(back.result).toBe(await undisturbed(kind, { ...last, epochs: 8, patience: 2 }));
  });
});

it('two replicas go on as one does', async () => {
  const kind = 'running extremes, folded batch norm';
  const changes = { replicas: 2 };
  const checkpoints = keepStates();
  await attempt({ kind, engine, checkpoints, changes, stopIn: 9 });
  expect((await attempt({ kind, engine, checkpoints, changes })).result).toBe(await undisturbed(kind, changes));
});

it('a state is saved after the seconds that were asked for, and the time of all attempts is counted', async () => {
  let time = 0;
  const now = (): number => (time += 100);
  const checkpoints = keepStates();
  const changes = { checkpoint: { seconds: 2, steps: null } };
  const whole = await attempt({ kind: 'float', engine, changes, checkpoints, now });
  const saved = checkpoints.states.length;
  expect(saved).toBeGreaterThan(3);
  expect(saved).toBeLessThan(total);
  // As if it had been killed behind the first one.
  const rest = await attempt({
    kind: 'float',
    engine,
    changes,
    now,
    checkpoints: keepStates([checkpoints.states[0]!]),
  });
  const secondsOf = ({ trained }: typeof whole) => trained!.metrics.epochs[0]!.seconds;
  expect(secondsOf(rest) / secondsOf(whole)).toBeGreaterThan(0.7);
  expect(rest.trained!.metrics.imagesPerSecond / whole.trained!.metrics.imagesPerSecond).toBeCloseTo(1, 0);
});

describe('what is no state of the training', () => {
  it.each([
    ['nothing', () => new Uint8Array()],
    ['a torn one', (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2)],
    ['one of another training', () => new Uint8Array()],
  ])('%s is not used, and the one before is', async (what, damage) => {
    const kind = 'float';
    const checkpoints = keepStates();
    await attempt({ kind, engine, checkpoints, stopIn: 5 });
    await attempt({ kind, engine, checkpoints, stopIn: 2 });
    const [before, last] = checkpoints.states;
    const other = keepStates();
    await attempt({ kind: 'moving averages, kept batch norm', engine, checkpoints: other, stopIn: 7 });
    const damaged = what === 'one of another training' ? other.states[0]!.bytes : damage(last!.bytes);
    const next = await attempt({ kind, engine, checkpoints: keepStates([before!, { step: 7, bytes: damaged }]) });
    expect(next.emitted[0]).toMatchObject({ kind: 'resumed', step: 5 });
    expect(next.result).toBe(await undisturbed(kind));
  });
});

describe.skipIf(tensorflowEngine === null)('the tensorflow engine', () => {
  it.each(names)('goes on: %s', { timeout: 60_000 }, async (kind) => {
    const tensorflow = tensorflowEngine!;
    const whole = await attempt({ kind, engine: tensorflow });
    for (const step of [7, 12]) {
      const checkpoints = keepStates();
      await attempt({ kind, engine: tensorflow, checkpoints, stopIn: step });
      const next = await attempt({ kind, engine: tensorflow, checkpoints });
      expect(next.result, `stopped in step ${step}`).toBe(whole.result);
    }
  });
});
