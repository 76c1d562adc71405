/** `qpipe why`: what has changed for a stage since a run. */
import { resolve } from 'node:path';
import type { LoadedPipeline } from '../config/load.ts';
import { present } from '../core/assert.ts';
import type { Place } from '../core/diagnostic.ts';
import { userError } from '../core/diagnostic.ts';
import { didYouMean } from '../config/suggest.ts';
import { newestStep } from '../runner/checkpoints.ts';
import { trajectoryKey } from '../runner/fingerprint.ts';
import type { Foreseen } from '../runner/foresee.ts';
import type { RunRecord } from '../runner/record.ts';
import { listRuns } from '../runner/runs.ts';
import { isNamed } from '../runner/select.ts';
import type { Store } from '../runner/store.ts';
import { readPreimage } from '../runner/store.ts';
import type { Change, Reason } from '../runner/why.ts';
import { reasonsOf } from '../runner/why.ts';
import type { ForeseenPipeline } from './foresee.ts';
import { foreseePipeline, pipelineOr } from './foresee.ts';

export interface WhyOptions {
  readonly stage: string;
  /** Path of the pipeline file; default: that of the newest run, with the changes that its command line made. */
  readonly pipeline?: string;
  readonly set?: readonly string[];
  readonly data?: string;
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
}

export interface Why {
  readonly stage: string;
  /** What a run would do with the stage now. */
  readonly state: Foreseen['state'];
  /** The newest run of the pipeline that had the stage; null when there is none. */
  readonly run: RunOfStage | null;
  /** What the changes are counted from: that run, or where it has made the result of now, the one before it. */
  readonly since: RunOfStage | null;
  /** The step behind which an execution would go on, from what an earlier one has reached; null when it begins anew. */
  readonly continues: number | null;
  /** Of the stage and those before it, producers first; null when they cannot be known. */
  readonly changes: readonly StageChanges[] | null;
}

export interface RunOfStage extends Pick<RunRecord, 'id' | 'startedAt'> {
  /** Whether it took the stage's result from the store. */
  readonly cached: boolean;
}

export interface StageChanges {
  readonly stage: string;
  readonly differences: readonly Difference[];
}

/** What it is, what it was, and what it is now. */
export interface Difference {
  /** Of the pipeline, for example `stages.qat.delay`, or what else it is. */
  readonly what: string;
  readonly before: string;
  readonly now: string;
  /** Where the pipeline file says so; null for what it does not say. */
  readonly place: Place | null;
}

/** @throws UserError for a stage that the pipeline does not have, and where there is no run to ask about */
export async function why(options: WhyOptions): Promise<Why> {
  const runs = await listRuns(resolve(options.runs ?? 'runs'));
  const found = await foreseePipeline(pipelineOr(runs[0], options));
  const isAsked = ({ stage: { name } }: Foreseen): boolean => isNamed(name, [options.stage]);
  const foreseen = found.stages.find(isAsked);
  if (foreseen === undefined) throw noStage(options.stage, found);
  const { name: asked } = foreseen.stage;
  const had = runs.filter(
    ({ pipeline, stages }) => pipeline === found.plan.name && stages.some(({ name }) => name === asked),
  );
  const [run] = had;
  const since = sinceOf(had, foreseen);
  const texts = new Map<string, string | null>();
  for (const { name, key } of since?.stages ?? []) texts.set(name, readPreimage(found.store, key));
  const reason = reasonsOf(found.stages, (stage) => texts.get(stage) ?? null).get(asked);
  return {
    ...{ stage: asked, state: foreseen.state },
    run: run === undefined ? null : runOf(run, asked),
    since: since === undefined ? null : runOf(since, asked),
    continues: await continuesAt(found.store, foreseen),
    changes: reason === undefined ? null : changesOf(reason, found),
  };
}

async function continuesAt(store: Store, { state, stage, inputs }: Foreseen): Promise<number | null> {
  const known = Object.entries(inputs).flatMap(([name, digest]) => (digest === null ? [] : [[name, digest] as const]));
  if (state !== 'run' || known.length < Object.keys(inputs).length) return null;
  const trajectory = trajectoryKey(stage, Object.fromEntries(known));
  return trajectory === null ? null : newestStep(store, trajectory);
}

/** The run before the one that made the result, if that is the newest; else the newest. */
function sinceOf(runs: readonly RunRecord[], { stage, key }: Foreseen): RunRecord | undefined {
  const inRun = ({ stages }: RunRecord) => stages.find(({ name }) => name === stage.name);
  const [newest] = runs;
  const last = newest === undefined ? undefined : inRun(newest);
  if (last === undefined || last.cached || last.key !== key) return newest;
  return runs.find((run) => inRun(run)?.key !== key) ?? newest;
}

function runOf({ id, startedAt, stages }: RunRecord, stage: string): RunOfStage {
  return { id, startedAt, cached: stages.find(({ name }) => name === stage)?.cached === true };
}

/** Each stage once, however many files of it are read. */
export function changesOf(reason: Reason, found: ForeseenPipeline): readonly StageChanges[] | null {
  if (reason.changes === null) return null;
  const changes = new Map<string, readonly Difference[]>();
  const visit = ({ stage, changes: own }: Reason): void => {
    if (changes.has(stage)) return;
    changes.set(stage, []);
    const inputs = (own ?? []).flatMap((change) => (change.kind === 'input' ? [change] : []));
    for (const { from } of inputs) visit(from);
    const unexplained = inputs.filter(
      ({ now, from }) => now !== null && (changes.get(from.stage)?.length ?? 0) === 0 && isUnexplained(from),
    );
    const differences = [
      ...(own ?? []).flatMap((change) => (change.kind === 'value' ? [differenceOf(stage, change, found)] : [])),
      ...unexplained.map(rewritten),
    ];
    // After those before it.
    changes.delete(stage);
    changes.set(stage, differences);
  };
  visit(reason);
  return [...changes].flatMap(([stage, differences]) => (differences.length === 0 ? [] : [{ stage, differences }]));
}

/** Whether nothing of the stage or before it has changed, so that its file must have been written anew. */
const isUnexplained = ({ changes }: Reason): boolean =>
  changes === null || changes.every((change) => change.kind === 'input' && isUnexplained(change.from));

function rewritten({ input, before, now, from }: Extract<Change, { kind: 'input' }>): Difference {
  const short = (digest: string | null): string => (digest === null ? 'not known' : shortDigest(digest));
  return { what: `${input}, written by ${from.stage}`, before: short(before), now: short(now), place: null };
}

function differenceOf(
  stage: string,
  { path, before, now }: Extract<Change, { kind: 'value' }>,
  found: ForeseenPipeline,
): Difference {
  const texts = { before: valueText(before), now: valueText(now) };
  const { called, loaded } = cellOf(stage, found);
  const setting = settingPath(called, path);
  if (setting === null) return { what: whatOf(path), ...texts, place: null };
  return { what: setting.join('.'), ...texts, place: loaded.locate(setting, 'value') };
}

/** The first cell that has the stage, and what the pipeline calls it. */
function cellOf(stage: string, { matrix, plan }: ForeseenPipeline): { called: string; loaded: LoadedPipeline } {
  const cells = (plan.matrix?.cells ?? []).map(({ stages }) =>
    Object.entries(stages).find(([, name]) => name === stage),
  );
  const index = Math.max(
    0,
    cells.findIndex((found) => found !== undefined),
  );
  const { loaded } = present(matrix.cells[index], 'a cell');
  return { called: cells[index]?.[0] ?? stage, loaded };
}

/** Where the pipeline says what a part of the key comes from; null for what it does not say. */
function settingPath(stage: string, [part, name, ...rest]: readonly string[]): readonly string[] | null {
  if (part === 'seeds') return ['seed'];
  if (part !== 'config') return null;
  switch (name) {
    case 'stage':
      return ['stages', stage, ...rest];
    case 'model':
      return ['model', ...rest];
    case 'augment':
      return ['data', 'augment', ...rest];
    case 'loss':
      return ['loss', ...rest];
    default:
      return null;
  }
}

function whatOf([part, name = '', ...rest]: readonly string[]): string {
  switch (part) {
    case 'impl':
      return name === 'code' ? "qpipe's code of this stage" : "qpipe's version of this stage";
    case 'env':
      if (name === 'engineCode') return "qpipe's code of the engine";
      return name === 'packages' ? `package ${rest.join('.')}` : name;
    case 'inputs':
      return name === 'file' ? 'the model file' : 'the examples';
    case 'config':
      return `what the data are for: ${rest.join('.')}`;
    case 'replicas':
      return 'number of devices';
    default:
      return [part, name, ...rest].join('.');
  }
}

const shortDigest = (digest: string): string => digest.replace('sha256:', '').slice(0, 12);

function valueText(value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value === 'string') return value.startsWith('sha256:') ? shortDigest(value) : value;
  return JSON.stringify(value);
}

const noStage = (stage: string, { stages }: ForeseenPipeline) =>
  userError(
    'command line',
    'unknown-stage',
    `the pipeline has no stage \`${stage}\``,
    didYouMean(
      stage,
      stages.map(({ stage: { name } }) => name),
    ),
    64,
  );

/** For a terminal; the answer first, then a line for each change. */
export function whyText(why: Why): string {
  const { stage, continues } = why;
  const tail =
    continues === null
      ? []
      : [`${stage} goes on behind step ${continues}, which an earlier training with the same steps has reached`];
  return [reasonText(why), ...tail].join('\n');
}

function reasonText({ stage, state, run, since, changes }: Why): string {
  if (run === null || since === null) {
    return state === 'stored' ? `${stage} is stored, from a run elsewhere` : `${stage} has not run yet`;
  }
  const doing = { stored: 'is stored', run: 'runs again', unknown: 'may run again' }[state];
  if (changes === null) return `${stage} ${doing}; what it was in run ${since.id} is no longer in the store`;
  if (changes.length === 0) {
    const unchanged = `nothing has changed since run ${since.id}`;
    return state === 'stored'
      ? `${stage} ${doing}: ${unchanged}`
      : `${stage} ${doing}, since its result is no longer in the store; ${unchanged}`;
  }
  const head =
    since.id === run.id
      ? `${stage} ${doing}; changed since run ${run.id}:`
      : `${stage} ${doing}, from run ${run.id}, in which it ran; changed since run ${since.id}:`;
  const lines = changes.flatMap(({ stage: changed, differences }) => [
    `  ${changed}`,
    ...differences.map(({ what, before, now, place }) => `    ${what}: ${before} → ${now}${placeText(place)}`),
  ]);
  return [head, ...lines].join('\n');
}

function placeText(place: Place | null): string {
  if (place === null) return '';
  return `  (${place.file}${place.line === undefined ? '' : `:${place.line}`})`;
}
