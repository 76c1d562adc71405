/** What a run would do, without doing any of it. */
import { stat } from 'node:fs/promises';
import { unreachable } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import { stageKey } from './fingerprint.ts';
import type { Plan, StagePlan } from './plan.ts';
import type { ActionRecord } from './record.ts';
import type { Store } from './store.ts';
import { objectPath, readRecord } from './store.ts';

export interface Foreseen<J extends object = object> {
  readonly stage: StagePlan<J>;
  /** `unknown` when it depends on what a stage before it will write. */
  readonly state: 'stored' | 'run' | 'unknown';
  /** Null while an input is not known. */
  readonly key: string | null;
  /** Of the inputs, by name; null for those that a stage before it has still to write. */
  readonly inputs: Readonly<Record<string, Digest | null>>;
  /** The result, where it is stored. */
  readonly record: ActionRecord | null;
}

/** Looks at sizes of files and reads none of them, so that damage is found only by the run. Writes nothing. */
export async function foresee<J extends object>(plan: Plan<J>, store: Store): Promise<readonly Foreseen<J>[]> {
  const found = new Map<string, Foreseen<J>>();
  for (const stage of plan.stages) {
    const inputs = inputsOf(stage, found);
    const known = Object.entries(inputs).flatMap(([name, digest]) =>
      digest === null ? [] : [[name, digest] as const],
    );
    if (known.length < Object.keys(inputs).length) {
      found.set(stage.name, { stage, inputs, state: 'unknown', key: null, record: null });
      continue;
    }
    const { key } = stageKey(stage, Object.fromEntries(known));
    const record = await storedRecord(store, key, stage);
    found.set(stage.name, { stage, inputs, key, record, state: record === null ? 'run' : 'stored' });
  }
  return [...found.values()];
}

function inputsOf(stage: StagePlan, before: ReadonlyMap<string, Foreseen>): Foreseen['inputs'] {
  return Object.fromEntries(
    Object.entries(stage.inputs).map(([name, input]) => {
      switch (input.kind) {
        case 'external':
          return [name, input.digest];
        case 'output':
          return [name, before.get(input.stage)?.record?.outputs[input.output]?.digest ?? null];
        default:
          return unreachable(input);
      }
    }),
  );
}

async function storedRecord(store: Store, key: string, { outputs }: StagePlan): Promise<ActionRecord | null> {
  const record = readRecord(store, key);
  if (record === null) return null;
  for (const [name, { type }] of Object.entries(outputs)) {
    const artifact = record.outputs[name];
    if (artifact?.type !== type) return null;
    const size = await stat(objectPath(store, artifact.digest)).then(
      (status) => status.size,
      () => null,
    );
    if (size !== artifact.bytes) return null;
  }
  return record;
}
