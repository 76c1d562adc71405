/** The plan of a pipeline, and what a run would do, for commands that run nothing. */
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { resolve } from 'node:path';
import type { LoadedMatrix } from '../config/load.ts';
import { loadMatrix } from '../config/load.ts';
import { checkMatrixWithoutData, makeMatrixPlan } from '../config/matrix-plan.ts';
import { threadsOf } from '../config/plan.ts';
import { userError } from '../core/diagnostic.ts';
import { missingFiles } from '../data/download.ts';
import { qpipeHome } from '../install/home.ts';
import type { Foreseen } from '../runner/foresee.ts';
import { foresee } from '../runner/foresee.ts';
import type { Plan } from '../runner/plan.ts';
import type { RunRecord } from '../runner/record.ts';
import type { Store } from '../runner/store.ts';
import { recall, storeAt } from '../runner/store.ts';
import type { StageJob } from '../stages/job.ts';
import { filesOf } from './missing-data.ts';
import { openResources } from '../stages/resources.ts';

export interface ForeseeOptions {
  /** Path of the pipeline file. */
  readonly pipeline: string;
  /** Changes to it, each `path=value`. */
  readonly set?: readonly string[];
  /** Folder with data sets for which the pipeline gives no path. */
  readonly data?: string;
  /** Folder of the store; default `.qpipe/store` in the current folder. */
  readonly store?: string;
}

export interface ForeseenPipeline {
  readonly matrix: LoadedMatrix;
  readonly plan: Plan<StageJob>;
  readonly stages: readonly Foreseen<StageJob>[];
  readonly store: Store;
}

/** Where the pipeline of a command comes from that may leave it out: then it is that of the newest run. */
export function pipelineOr(
  newest: RunRecord | undefined,
  { pipeline, set, data, store, runs }: Partial<ForeseeOptions> & { readonly runs?: string },
): ForeseeOptions {
  if (pipeline === undefined && newest === undefined) throw noRuns(runs ?? 'runs');
  const origin = pipeline === undefined ? newest?.origin : undefined;
  const folder = data ?? origin?.data ?? null;
  return {
    pipeline: pipeline ?? origin?.file ?? '',
    set: [...(origin?.set ?? []), ...(set ?? [])],
    ...(folder !== null && { data: folder }),
    ...(store !== undefined && { store }),
  };
}

const noRuns = (folder: string) =>
  userError(folder, 'no-runs', 'there is no run to ask about', 'run a pipeline first, or name one with `--pipeline`');

/**
 * Writes nothing, neither to the store nor elsewhere.
 *
 * @throws UserError for mistakes in the pipeline or its data, and for data that a run would download first
 */
export async function foreseePipeline({ pipeline, set, data, store: root }: ForeseeOptions): Promise<ForeseenPipeline> {
  const matrix = await loadMatrix(pipeline, set, data);
  await checkMatrixWithoutData(matrix);
  const [missing] = missingFiles(filesOf(matrix));
  if (missing !== undefined) {
    const message = 'the file does not exist yet, so the keys of the stages are not known';
    throw userError(missing.path, 'not-downloaded', message, `\`qpipe run\` downloads it from ${missing.download.url}`);
  }
  const store = storeAt(resolve(root ?? '.qpipe/store'), () => randomBytes(16).toString('hex'));
  const threads = threadsOf(matrix, os.availableParallelism(), null);
  const resources = openResources({
    identities: async (key, make) => recall(store, key) ?? make(),
    ...{ cache: null, signal: null, threads, home: qpipeHome(), now: () => performance.now() },
  });
  try {
    const { plan } = await makeMatrixPlan(matrix, { resources, threads });
    return { matrix, plan, stages: await foresee(plan, store), store };
  } finally {
    resources.close();
  }
}
