import { closeSync, fstatSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Type } from '@sinclair/typebox';
import type { Static, TProperties } from '@sinclair/typebox';
import { explainWriteError } from './disk-error.ts';
import { digestSchema, reachedStageSchema, runStatusSchema, verdictSchema } from './record.ts';

function event<K extends string, P extends TProperties>(kind: K, fields: P) {
  return Type.Object({ kind: Type.Literal(kind), time: Type.String({ description: 'ISO 8601, UTC' }), ...fields });
}

const stage = Type.String({ description: 'name of the stage' });

/** Of `events.ndjson`; the first event says it. */
export const eventsVersion = 'qpipe-events-1';

/** The events of a run; each is one line of `events.ndjson`. */
export const runEventSchema = Type.Union([
  event('run-started', {
    schema: Type.Literal(eventsVersion, { description: 'of this and all other events of the run' }),
    ...{ run: Type.String(), pipeline: Type.String(), stages: Type.Array(Type.String()) },
  }),
  event('stage-started', { stage, key: Type.String(), cached: Type.Boolean() }),
  event('stage-waiting', {
    stage,
    ...{ pid: Type.Union([Type.Integer(), Type.Null()]), run: Type.Union([Type.String(), Type.Null()]) },
    host: Type.Union([Type.String(), Type.Null()], { description: 'the machine; null when it is this one' }),
    state: Type.Union([Type.Literal('running'), Type.Literal('stopped', { description: 'as by SIGSTOP' })]),
  }),
  event('stage-progress', {
    stage,
    step: Type.Integer(),
    totalSteps: Type.Integer(),
    values: Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()]), {
      description: 'null stands for a number that is not finite, which JSON cannot say',
    }),
  }),
  event('stage-log', { stage, message: Type.String() }),
  event('stage-finished', {
    stage,
    cached: Type.Boolean(),
    seconds: Type.Number({ description: 'of the execution that made the result' }),
    verdict: verdictSchema,
    outputs: Type.Record(Type.String(), digestSchema),
    result: Type.Optional(
      Type.Object(
        {
          text: Type.String({ description: 'for example `val 98.44 %`' }),
          curve: Type.Array(Type.Number(), { description: 'of a training what the text says, by epoch; else empty' }),
        },
        { description: 'what the stage reached, in a few words' },
      ),
    ),
    record: Type.Optional(reachedStageSchema),
  }),
  event('stage-failed', { stage, message: Type.String() }),
  event('stage-skipped', { stage, because: Type.String({ description: 'name of the stage that failed before it' }) }),
  event('cache-repaired', {
    stage,
    found: Type.String({ description: 'what was wrong with the stored result' }),
    movedTo: Type.Union([Type.String(), Type.Null()], {
      description: 'where the bad file was moved to; null when it was removed',
    }),
  }),
  event('stage-resumed', {
    stage,
    step: Type.Integer({ description: 'the last that was done before' }),
    totalSteps: Type.Integer(),
    epoch: Type.Integer({ minimum: 1, description: 'of that step' }),
    resumedAt: Type.Array(Type.Integer(), { description: 'all steps behind which it went on, this one the last' }),
  }),
  event('checkpoint-damaged', {
    stage,
    found: Type.String({ description: 'what was wrong; the one before it is used, or the stage begins again' }),
    movedTo: Type.Union([Type.String(), Type.Null()]),
  }),
  event('checkpoint-refused', {
    stage,
    message: Type.String({ description: 'why the first of its checkpoints could not be written' }),
    hint: Type.Union([Type.String(), Type.Null()]),
  }),
  event('nondeterminism', { stage, output: Type.String(), before: digestSchema, now: digestSchema }),
  event('run-finished', { status: runStatusSchema, seconds: Type.Number() }),
]);
export type RunEvent = Static<typeof runEventSchema>;

/** Distributes over the union: an event before the clock is read. */
type WithoutTime<E> = E extends unknown ? Omit<E, 'time'> : never;
export type UntimedEvent = WithoutTime<RunEvent>;

export interface EventLog {
  /** Never fails: a run must not end because a line about it could not be written. */
  readonly write: (event: RunEvent) => void;
  /** Why a line is missing, null when none is. */
  readonly failure: () => Error | null;
  readonly close: () => void;
}

/** One JSON object per line, each written at once and whole: a line that does not fit on the disk is removed again. */
export function openEventLog(file: string): EventLog {
  const descriptor = openSync(file, 'ax');
  let failure: Error | null = null;
  function append(line: string): void {
    const { size } = fstatSync(descriptor);
    try {
      writeFileSync(descriptor, line);
    } catch (error) {
      ftruncateSync(descriptor, size);
      throw error;
    }
  }
  return {
    write(event) {
      try {
        append(`${JSON.stringify(event)}\n`);
      } catch (error) {
        failure ??= explainWriteError(error, dirname(file), 'events.ndjson of the run folder');
      }
    },
    failure: () => failure,
    close() {
      try {
        closeSync(descriptor);
      } catch {
        // As for `write`; run.json says how the run ended.
      }
    },
  };
}
