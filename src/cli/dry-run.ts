/** `qpipe run --dry-run`: what a run would do, stage by stage. */
import { resolve } from 'node:path';
import type { Foreseen } from '../runner/foresee.ts';
import { listRuns } from '../runner/runs.ts';
import type { Selection } from '../runner/select.ts';
import { isNamed, select } from '../runner/select.ts';
import { readPreimage } from '../runner/store.ts';
import { reasonsOf } from '../runner/why.ts';
import type { ForeseeOptions } from './foresee.ts';
import { foreseePipeline } from './foresee.ts';
import type { Difference } from './why.ts';
import { changesOf } from './why.ts';

export interface DryRunOptions extends ForeseeOptions, Selection {
  /** Names of stages that would run even if they have a result. */
  readonly force?: readonly string[];
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
}

export interface DryStage {
  readonly name: string;
  readonly kind: string;
  /** `required` is a stage that is not selected and has no result, so that the run would fail. */
  readonly state: Foreseen['state'] | 'forced' | 'required';
  /** Null while the key depends on a stage that would run. */
  readonly key: string | null;
  /** Seconds that its result took to make, where it is stored. */
  readonly seconds: number | null;
  /** What of its own has changed since the newest run that had it; null when there is none. */
  readonly changes: readonly Difference[] | null;
}

/** Writes nothing. @throws UserError as a run would, for mistakes in the pipeline and its data */
export async function dryRun(options: DryRunOptions): Promise<readonly DryStage[]> {
  const found = await foreseePipeline(options);
  const { plan, stored } = select(found.plan, options);
  const selected = new Set(plan.stages.map(({ name }) => name));
  const runs = (await listRuns(resolve(options.runs ?? 'runs'))).filter(({ pipeline }) => pipeline === plan.name);
  const texts = new Map<string, string | null>();
  for (const { name } of plan.stages) {
    const key = runs.flatMap(({ stages }) => stages.find((stage) => stage.name === name)?.key ?? [])[0];
    texts.set(name, key === undefined ? null : readPreimage(found.store, key));
  }
  const reasons = reasonsOf(found.stages, (stage) => texts.get(stage) ?? null);
  return found.stages.flatMap(({ stage, state, key, record }): DryStage[] => {
    const { name, kind } = stage;
    if (!selected.has(name)) return [];
    const isForced = state === 'stored' && isNamed(name, options.force ?? []);
    const isMissing = state !== 'stored' && stored.has(name);
    const reason = reasons.get(name);
    const own = reason === undefined ? null : changesOf(reason, found);
    return [
      {
        ...{ name, kind, key },
        state: isForced ? 'forced' : isMissing ? 'required' : state,
        seconds: record?.seconds ?? null,
        changes: own?.find((changed) => changed.stage === name)?.differences ?? (own === null ? null : []),
      },
    ];
  });
}

/** A line for each stage. */
export function dryRunText(stages: readonly DryStage[]): string {
  const widest = Math.max(...stages.map(({ name }) => name.length));
  return stages.map((stage) => `${stage.name.padEnd(widest)}  ${stateText(stage)}`).join('\n');
}

function stateText({ state, seconds, changes }: DryStage): string {
  const what = (changes ?? []).map(({ what: name, before, now }) => `${name}: ${before} → ${now}`).join(', ');
  const because = changes === null ? 'it has not run yet' : what;
  switch (state) {
    case 'stored':
      return `stored (${(seconds ?? 0).toFixed(1)} s when it ran)`;
    case 'forced':
      return 'runs: it is forced to';
    case 'required':
      return 'missing: the run would fail, since it is not among the stages to run and has no result';
    case 'run':
      return `runs${because === '' ? '' : `: ${because}`}`;
    case 'unknown':
      return `runs, unless the stages before it write what they wrote${what === '' ? '' : `: ${what}`}`;
  }
}
