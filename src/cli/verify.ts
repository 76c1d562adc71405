/** `qpipe verify`: stored results are made once more and compared. */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { resolve } from 'node:path';
import { threadsOf } from '../config/plan.ts';
import { present } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { mapValues } from '../core/records.ts';
import type { Foreseen } from '../runner/foresee.ts';
import { enterStore } from '../runner/live.ts';
import { listRuns } from '../runner/runs.ts';
import { isNamed } from '../runner/select.ts';
import type { RebuiltOutput } from '../runner/stage.ts';
import { rebuild } from '../runner/stage.ts';
import { openStore } from '../runner/store.ts';
import { stageWork } from '../stages/job.ts';
import { resourcesIn } from './resources.ts';
import type { ForeseeOptions } from './foresee.ts';
import { foreseePipeline, pipelineOr } from './foresee.ts';
import { provenance } from './provenance.ts';
import { checkNames } from './stage-names.ts';

export interface VerifyOptions extends Partial<ForeseeOptions> {
  /** Names of the stages to make again; default: all that are stored. */
  readonly rebuild?: readonly string[];
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  readonly signal?: AbortSignal;
  /** Called for each stage before it runs. */
  readonly onStage?: (name: string) => void;
}

export interface Verified {
  readonly stage: string;
  readonly outputs: readonly RebuiltOutput[];
}

/**
 * Runs stages with the inputs of their stored results, one after another, and compares the digests of what they write.
 * The results stay as they are.
 *
 * @throws UserError for a stage that has no result, or whatever a stage throws
 */
export async function verify(options: VerifyOptions): Promise<readonly Verified[]> {
  const signal = options.signal ?? new AbortController().signal;
  const [newest] = await listRuns(resolve(options.runs ?? 'runs'), 1);
  const { plan, matrix, stages } = await foreseePipeline(pipelineOr(newest, options));
  checkNames({ rebuild: options.rebuild }, plan);
  const chosen = stages.filter(({ stage, state }) =>
    options.rebuild === undefined ? state === 'stored' : isNamed(stage.name, options.rebuild),
  );
  const store = await openStore(resolve(options.store ?? '.qpipe/store'), () => randomBytes(16).toString('hex'));
  const threads = threadsOf(matrix, os.availableParallelism(), null);
  const now = (): number => performance.now();
  const resources = resourcesIn(store, { threads, signal });
  const work = stageWork(resources);
  const presence = await enterStore(store, { run: 'verify', signal, now });
  const host = {
    ...{ store, work, signal, now, presence },
    busy: 'wait',
    emit: () => undefined,
    clock: () => new Date(),
  } as const;
  const verified: Verified[] = [];
  try {
    for (const foreseen of chosen) {
      const { stage, record } = foreseen;
      if (record === null) throw notStored(foreseen);
      options.onStage?.(stage.name);
      const inputs = mapValues(foreseen.inputs, (digest, name) => ({
        type: present(stage.inputs[name], 'the input').type,
        digest: present(digest, 'the digest of an input'),
      }));
      const job = { stage, inputs, run: record.run, provenance: provenance(), existing: 'replace' } as const;
      verified.push({ stage: stage.name, outputs: await rebuild(job, record, host) });
    }
  } finally {
    await presence.leave();
    resources.close();
  }
  return verified;
}

const notStored = ({ stage: { name } }: Foreseen) =>
  userError(
    `stage ${name}`,
    'not-stored',
    'it has no stored result for the settings as they are now',
    `run it first, for example with \`--until ${name}\``,
  );
