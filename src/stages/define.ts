import type { Static, TLiteral, TObject, TOptional, TProperties, TSchema, TString } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { key, object, runtime } from '../core/schema.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import type { Judgement, StageNeeds } from '../runner/plan.ts';
import type { Outside, StageRun } from './run.ts';

/** What a stage hands to the next; the number is the version of the format. */
export type ArtifactType =
  | 'FloatModel/2'
  | 'QatModel/2'
  | 'EvalGraph/1'
  | 'Checkpoint/1'
  | 'FrozenGraph/1'
  | 'Tflite/1'
  | 'TestReport/1'
  | 'Export/1'
  | 'File/1';

/**
 * A file that a stage reads: made by the nearest stage on its `from` chain that writes this type, or a file of this name.
 * One by its name has a row of the same key in the stage's field `inputs`, where a name that nothing writes is reported.
 */
export type StageInputRule = ({ readonly type: ArtifactType } | { readonly file: string }) & {
  readonly optional: boolean;
};

/** A file that a stage writes, by its name in the stage's folder. */
export interface StageOutputRule {
  readonly type: ArtifactType;
  readonly file: string;
}

export const isGivenBy = (rule: StageInputRule, { type, file }: StageOutputRule): boolean =>
  'file' in rule ? rule.file === file : rule.type === type;

/** A mistake in the fields of a stage. */
export interface FieldMistake extends Omit<Diagnostic, 'place'> {
  /** From the stage to the value, for example `['command', '2']`. */
  readonly path: readonly string[];
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
  inputs(config: Static<Config>): Readonly<Record<string, StageInputRule>>;
  outputs(config: Static<Config>): Readonly<Record<string, StageOutputRule>>;
  /** What is wrong with a config that fits the schema, as far as it shows without looking at anything else. */
  mistakes(config: Static<Config>): readonly FieldMistake[];
  /**
   * Looks at what the stage reads from outside, when a run is planned; null for a stage that reads nothing there.
   *
   * @param folder of the pipeline file
   */
  outside(
    config: Static<Config>,
    folder: string,
  ): Promise<{ readonly found: Outside; readonly mistakes: readonly FieldMistake[] } | null>;
  /** The schema of the whole stage: `uses`, `from` and the stage's own fields. */
  readonly config: Config;
  // A method, so that a table of stages may forget which config each takes; `index.ts` pairs them again.
  run(...args: Parameters<StageRun<Static<Config>>>): ReturnType<StageRun<Static<Config>>>;
  /** Compares what `run` measured with limits in fields that are no part of the key. */
  judge(config: Static<Config>, metrics: JsonObject): Judgement;
  /** What it takes of the machine; null for a stage that takes what engines do. */
  needs(config: Static<Config>): StageNeeds | null;
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
  /** The files, or what they are by the config of the stage. */
  readonly inputs: Files<StageInputRule, P>;
  readonly outputs: Files<StageOutputRule, P>;
  readonly fields: P;
  readonly run: StageRun<Static<TObject<P>>>;
  /** Left out by a stage whose schema says all. */
  readonly mistakes?: (config: Static<TObject<P>>) => readonly FieldMistake[];
  /** Left out by a stage that reads nothing outside of the pipeline. */
  readonly outside?: StageDefinition<Kind, TObject<P>>['outside'];
  /** Left out by a stage that has no limits. */
  readonly judge?: (config: Static<TObject<P>>, metrics: JsonObject) => Judgement;
  /** Left out by a stage of which `uses` says enough. */
  readonly needs?: (config: Static<TObject<P>>) => StageNeeds;
  /** Left out by a stage that keeps no checkpoints. */
  readonly trajectory?: (config: Static<TObject<P>>) => Partial<Static<TObject<P>>>;
}): StageDefinition<Kind, StageSchema<Kind, F, P>> {
  const { kind, revision, description, from, produces, uses, inputs, outputs, fields, run } = definition;
  const { judge = pass, trajectory = none, mistakes = noMistakes, outside = nothing, needs = none } = definition;
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
  type Whole = StageDefinition<Kind, typeof schema>;
  const judgeWhole = judge as unknown as Whole['judge'];
  const trajectoryOfWhole = trajectory as unknown as Whole['trajectory'];
  return {
    ...{ kind, revision, from, produces, uses, config: schema },
    inputs: byConfig(inputs) as unknown as Whole['inputs'],
    outputs: byConfig(outputs) as unknown as Whole['outputs'],
    mistakes: mistakes as unknown as Whole['mistakes'],
    outside: outside as unknown as Whole['outside'],
    needs: needs as unknown as Whole['needs'],
    ...{ run: runWhole, judge: judgeWhole, trajectory: trajectoryOfWhole },
  };
}

type Files<Rule, P extends TProperties> =
  Readonly<Record<string, Rule>> | ((config: Static<TObject<P>>) => Readonly<Record<string, Rule>>);

const byConfig = <Rule, P extends TProperties>(files: Files<Rule, P>) =>
  typeof files === 'function' ? files : () => files;

const none = (): null => null;
const noMistakes = (): readonly FieldMistake[] => [];
const nothing = (): Promise<null> => Promise.resolve(null);
const pass = (_config: unknown, metrics: JsonObject): Judgement => ({ metrics, verdict: 'pass' });
