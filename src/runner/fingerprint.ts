import { createHash } from 'node:crypto';
import canonicalizeModule from 'canonicalize';
import { internal, present } from '../core/assert.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { mapValues } from '../core/records.ts';
import type { StagePlan } from './plan.ts';

/**
 * Everything that decides a stage's result. Two executions with equal fingerprints may share one result, so a field
 * is missing here only if it cannot change a byte. The stage's name is: a rename must not train again.
 */
export interface Fingerprint<D extends Digest | null = Digest> {
  /** The stage type. Two types with one implementation may read the configuration differently. */
  readonly kind: string;
  /** `code` catches a changed kernel; `rev` a changed meaning that leaves the code alone. */
  readonly impl: { readonly id: string; readonly rev: number; readonly code: Digest };
  /** Defaults filled in, so that a default and its written-out value are one key. */
  readonly config: JsonObject;
  /** By content, not by the producer's key: a producer that ran again to equal bytes changes nothing after it. */
  readonly inputs: Readonly<Record<string, { readonly type: string; readonly digest: D }>>;
  /** Part of the result like any other setting, apart from `config` because several stages share them. */
  readonly seeds: JsonObject;
  /** Backend and architecture where they reach the last bit; empty for stages of pure integer work. */
  readonly env: JsonObject;
  /** Gradients summed over a different number of replicas round differently. */
  readonly replicas: number;
}

export interface StageKey {
  /** 64 hex digits. */
  readonly key: string;
  /** The canonical JSON (RFC 8785) of the fingerprint: the text that was hashed, without the version line. */
  readonly preimage: string;
}

const VERSION_LINE = 'qpipe-key-v1\n';

// The package is CommonJS and its types call the function a default export, which is not how Node hands it over.
const canonicalize = canonicalizeModule as unknown as typeof canonicalizeModule.default;

/**
 * Names what all executions have in common that go through the same steps: those whose keys differ only in how many
 * steps there are, for instance. Null for a stage that keeps no checkpoints.
 */
export function trajectoryKey(stage: StagePlan, inputDigests: Readonly<Record<string, Digest>>): string | null {
  const { trajectory } = stage;
  return trajectory === undefined ? null : stageKey({ ...stage, config: trajectory }, inputDigests).key;
}

/** The identity of an execution, known before it runs. `inputDigests` has one entry per input of the stage. */
export function stageKey(stage: StagePlan, inputDigests: Readonly<Record<string, Digest>>): StageKey {
  const fingerprint = fingerprintOf(stage, (name) =>
    present(inputDigests[name], `digest of input "${name}" of stage "${stage.name}"`),
  );
  const preimage = canonicalize(fingerprint) ?? internal(`fingerprint of stage "${stage.name}" is not JSON`);
  return { key: keyOf(preimage), preimage };
}

export function keyOf(preimage: string): string {
  return createHash('sha256')
    .update(VERSION_LINE + preimage)
    .digest('hex');
}

/** @param digestOf an input, by its name; null where it is not known yet, so that there is no key */
export function fingerprintOf<D extends Digest | null>(
  stage: StagePlan,
  digestOf: (name: string) => D,
): Fingerprint<D> {
  const { id, revision, code } = stage.implementation;
  return {
    kind: stage.kind,
    impl: { id, rev: revision, code },
    config: stage.config,
    inputs: mapValues(stage.inputs, ({ type }, name) => ({ type, digest: digestOf(name) })),
    seeds: stage.seeds,
    env: stage.environment,
    replicas: stage.replicas,
  };
}
