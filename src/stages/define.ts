import type { Static, TLiteral, TObject, TOptional, TProperties, TSchema, TString } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { key, object, runtime } from '../core/schema.ts';

/** What a stage hands to the next; the number is the version of the format. */
export type ArtifactType =
  'FloatModel/1' | 'QatModel/1' | 'EvalGraph/1' | 'FrozenGraph/1' | 'Tflite/1' | 'TestReport/1';

/** Parts of the pipeline outside `stages` that a stage reads, which therefore enter its key. */
export type StageNeed = 'data' | 'model' | 'engine' | 'seed';

/** What `from` may name; null for a stage that takes no other stage's result. */
export type FromRule = { readonly accepts: readonly ArtifactType[]; readonly optional: boolean } | null;

export interface StageDefinition<Kind extends string = string, Config extends TSchema = TSchema> {
  /** The word after `uses:`. */
  readonly kind: Kind;
  /** Raised by hand when the result changes in a way that the hash of the code cannot see. */
  readonly revision: number;
  readonly from: FromRule;
  readonly produces: ArtifactType;
  readonly uses: readonly StageNeed[];
  /** The schema of the whole stage: `uses`, `from` and the stage's own fields. */
  readonly config: Config;
}

/** A stage's config as its `run` gets it: everything present. */
export type ConfigOf<D extends StageDefinition> = Static<D['config']>;

type FromFields<F extends FromRule> = F extends { readonly optional: infer O }
  ? { from: O extends true ? TOptional<TString> : TString }
  : unknown;

type StageSchema<Kind extends string, F extends FromRule, P extends TProperties> = TObject<
  { uses: TLiteral<Kind> } & FromFields<F> & P
>;

/** Puts `uses` and `from` before the stage's own fields. */
export function defineStage<const Kind extends string, const F extends FromRule, P extends TProperties>(definition: {
  readonly kind: Kind;
  readonly revision: number;
  readonly description: string;
  readonly from: F;
  readonly produces: ArtifactType;
  readonly uses: readonly StageNeed[];
  readonly fields: P;
}): StageDefinition<Kind, StageSchema<Kind, F, P>> {
  const { kind, revision, description, from, produces, uses, fields } = definition;
  // Not in the key: names do not matter there, and the input is known by the digest of its content.
  const fromSchema = Type.String(runtime('Name of the stage whose result this stage takes'));
  const config = object(
    {
      uses: Type.Literal(kind, key('What the stage does')),
      ...(from === null ? {} : { from: from.optional ? Type.Optional(fromSchema) : fromSchema }),
      ...fields,
    },
    { description },
  );
  // The compiler cannot follow the conditional spread; FromFields says the same.
  return { kind, revision, from, produces, uses, config: config as unknown as StageSchema<Kind, F, P> };
}
