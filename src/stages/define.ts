import type { Static, TLiteral, TObject, TOptional, TProperties, TSchema, TString } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { key, object, runtime } from '../core/schema.ts';
import type { JsonObject } from '../core/json.ts';
import type { Judgement } from '../runner/plan.ts';
import type { StageRun } from './run.ts';

/** What a stage hands to the next; the number is the version of the format. */
export type ArtifactType =
  | 'FloatModel/2'
  | 'QatModel/2'
  | 'EvalGraph/1'
  | 'Checkpoint/1'
  | 'FrozenGraph/1'
  | 'Tflite/1'
  | 'TestReport/1'
  | 'Export/1';

/** A file that a stage reads: made by the nearest stage on its `from` chain that writes this type. */
export interface StageInputRule {
  readonly type: ArtifactType;
  readonly optional: boolean;
}

/** A file that a stage writes, by its name in the stage's folder. */
export interface StageOutputRule {
  readonly type: ArtifactType;
  readonly file: string;
}

/** Parts of the pipeline outside `stages` that a stage reads, which therefore enter its key. */
export type StageNeed =
  | 'training-data'
  | 'validation-data'
  | 'test-data'
  | 'augment'
  | 'loss'
  | 'model'
  | 'model-file'
  | 'purpose'
  | 'engine'
  | 'seed';

/** What `from` may name; null for a stage that takes no other stage's result. */
export type FromRule = { readonly accepts: readonly ArtifactType[]; readonly optional: boolean } | null;

export interface StageDefinition<Kind extends string = string, Config extends TSchema = TSchema> {
  /** The word after `uses:`. */
  readonly kind: Kind;
  /** Increased by hand when the result changes in a way that the hash of the code does not show. */
  readonly revision: number;
  readonly from: FromRule;
  readonly produces: ArtifactType;
  readonly uses: readonly StageNeed[];
  readonly inputs: Readonly<Record<string, StageInputRule>>;
  readonly outputs: Readonly<Record<string, StageOutputRule>>;
  /** The schema of the whole stage: `uses`, `from` and the stage's own fields. */
  readonly config: Config;
  // A method, so that a table of stages may forget which config each takes; `index.ts` pairs them again.
  run(...args: Parameters<StageRun<Static<Config>>>): ReturnType<StageRun<Static<Config>>>;
  /** Compares what `run` measured with limits in fields that are no part of the key. */
  judge(config: Static<Config>, metrics: JsonObject): Judgement;
  /**
   * The fields that decide what happens in each step of a stage that advances step by step: the others say how many
   * there are, and what is made of the last. Null for a stage that keeps no checkpoints.
   */
  trajectory(config: Static<Config>): Partial<Static<Config>> | null;
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
  readonly inputs: Readonly<Record<string, StageInputRule>>;
  readonly outputs: Readonly<Record<string, StageOutputRule>>;
  readonly fields: P;
  readonly run: StageRun<Static<TObject<P>>>;
  /** Left out by a stage that has no limits. */
  readonly judge?: (config: Static<TObject<P>>, metrics: JsonObject) => Judgement;
  /** Left out by a stage that keeps no checkpoints. */
  readonly trajectory?: (config: Static<TObject<P>>) => Partial<Static<TObject<P>>>;
}): StageDefinition<Kind, StageSchema<Kind, F, P>> {
  const { kind, revision, description, from, produces, uses, inputs, outputs, fields, run } = definition;
  const { judge = pass, trajectory = none } = definition;
  // Not in the key: names do not matter there, and the input is known by the digest of its content.
  const fromSchema = Type.String(runtime('Name of the stage whose result this stage reads'));
  const config = object(
    {
      uses: Type.Literal(kind, key('Kind of stage')),
      ...(from === null ? {} : { from: from.optional ? Type.Optional(fromSchema) : fromSchema }),
      ...fields,
    },
    { description },
  );
  // The compiler cannot follow the conditional spread; FromFields says the same.
  const schema = config as unknown as StageSchema<Kind, F, P>;
  // The stage's own fields are part of the whole, which TypeScript cannot show for a generic P.
  const runWhole = run as unknown as StageRun<Static<StageSchema<Kind, F, P>>>;
  const judgeWhole = judge as unknown as StageDefinition<Kind, typeof schema>['judge'];
  const trajectoryOfWhole = trajectory as unknown as StageDefinition<Kind, typeof schema>['trajectory'];
  return {
    ...{ kind, revision, from, produces, uses, inputs, outputs, config: schema },
    ...{ run: runWhole, judge: judgeWhole, trajectory: trajectoryOfWhole },
  };
}

const none = (): null => null;
const pass = (_config: unknown, metrics: JsonObject): Judgement => ({ metrics, verdict: 'pass' });
