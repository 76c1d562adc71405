/** Why a stage would run again: what in its key differs from that of an earlier run. */
import { isDeepStrictEqual } from 'node:util';
import type { Digest } from '../core/digest.ts';
import { isRecord } from '../core/schema.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Foreseen } from './foresee.ts';

export interface Reason {
  readonly stage: string;
  readonly state: Foreseen['state'];
  /** Null when there is nothing to compare with. */
  readonly changes: readonly Change[] | null;
}

export type Change =
  /** A value of the fingerprint; undefined where it is missing. */
  | { readonly kind: 'value'; readonly path: readonly string[]; readonly before: unknown; readonly now: unknown }
  /** A file that a stage before it writes, with what changed there; null digests are not known. */
  | {
      readonly kind: 'input';
      readonly input: string;
      readonly before: Digest | null;
      readonly now: Digest | null;
      readonly from: Reason;
    };

/**
 * @param stages what a run would do, producers first
 * @param before the text of the key that a stage had, null where that is not known
 * @returns the reasons by the names of the stages
 */
export function reasonsOf(
  stages: readonly Foreseen[],
  before: (stage: string) => string | null,
): ReadonlyMap<string, Reason> {
  const reasons = new Map<string, Reason>();
  for (const foreseen of stages) {
    const { stage, state, inputs } = foreseen;
    const text = before(stage.name);
    if (text === null) {
      reasons.set(stage.name, { stage: stage.name, state, changes: null });
      continue;
    }
    const old: unknown = JSON.parse(text);
    const now = fingerprintOf(stage, (name) => inputs[name] ?? null);
    const values = differences(old, now, []).filter(({ path }) => {
      // What other stages write is said with the stage that writes it.
      const [part, name = ''] = path;
      return part !== 'inputs' || stage.inputs[name]?.kind !== 'output';
    });
    const written = Object.entries(stage.inputs).flatMap(([input, source]): Change[] => {
      const from = source.kind === 'output' ? reasons.get(source.stage) : undefined;
      const [was, is] = [inputDigest(old, input), inputs[input] ?? null];
      return from === undefined || (is !== null && was === is)
        ? []
        : [{ kind: 'input', input, before: was, now: is, from }];
    });
    reasons.set(stage.name, { stage: stage.name, state, changes: [...values, ...written] });
  }
  return reasons;
}

function inputDigest(fingerprint: unknown, input: string): Digest | null {
  const inputs = isRecord(fingerprint) ? fingerprint['inputs'] : null;
  const found = isRecord(inputs) ? inputs[input] : null;
  // `stageKey` wrote the text.
  return isRecord(found) ? (found['digest'] as Digest) : null;
}

/** The innermost values that differ. Lists of different lengths differ as a whole. */
export function differences(
  before: unknown,
  now: unknown,
  path: readonly string[],
): Extract<Change, { kind: 'value' }>[] {
  if (isDeepStrictEqual(before, now)) return [];
  const both = [entriesOf(before), entriesOf(now)] as const;
  if (both[0] === null || both[1] === null || (Array.isArray(before) && both[0].size !== both[1].size)) {
    return [{ kind: 'value', path, before, now }];
  }
  const [old, current] = both;
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((name) =>
    differences(old.get(name), current.get(name), [...path, name]),
  );
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> | null {
  return isRecord(value) || Array.isArray(value) ? new Map(Object.entries(value)) : null;
}
