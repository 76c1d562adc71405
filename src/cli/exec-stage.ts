/** One stage in this process, for a run in another one: the other end of `runner/child.ts`. */
import { randomBytes } from 'node:crypto';
import { UserError } from '../core/diagnostic.ts';
import type { JobFile, JobMessage } from '../runner/child.ts';
import { enterStore } from '../runner/live.ts';
import { executeStage } from '../runner/stage.ts';
import { openStore } from '../runner/store.ts';
import type { StageJob } from '../stages/job.ts';
import { stageWork } from '../stages/job.ts';
import { resourcesIn } from './resources.ts';

/**
 * Executes a job and sends what happens; the last message is a result or a failure, unless `signal` was raised.
 *
 * @param file what the run has written; nothing else could have
 */
export async function execStage(
  { job, store: folder, busy }: JobFile<StageJob>,
  send: (message: JobMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const store = await openStore(folder, () => randomBytes(16).toString('hex'));
    const now = (): number => performance.now();
    const resources = resourcesIn(store, { threads: job.stage.job.threads, signal });
    const presence = await enterStore(store, { run: job.run, signal, now });
    try {
      const work = stageWork(resources);
      const emit: Parameters<typeof executeStage>[1]['emit'] = (event) => send({ kind: 'event', event });
      const result = await executeStage(job, {
        ...{ store, work, emit, signal, busy, now, presence },
        clock: () => new Date(),
      });
      send({ kind: 'result', result });
    } finally {
      await presence.leave();
      resources.close();
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof UserError) {
      send({ kind: 'mistake', diagnostics: error.diagnostics, exitCode: error.exitCode });
    } else send({ kind: 'failure', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
