import os from 'node:os';
import { loadPipeline } from '../config/load.ts';
import { checkWithoutData, makePlan, threadsOf } from '../config/plan.ts';
import { warnings } from '../config/checks/warnings.ts';
import type { ModelSize } from '../config/targets.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { dataSource } from '../data/config.ts';
import { missingFiles } from '../data/download.ts';
import { sourceFiles } from '../data/load.ts';
import { qpipeHome } from '../install/home.ts';
import { openResources } from '../stages/resources.ts';
import { kib } from '../targets/file.ts';

export interface Validation {
  readonly name: string;
  /** In the order in which they would run. */
  readonly stages: readonly { readonly name: string; readonly kind: string }[];
  readonly warnings: readonly Diagnostic[];
  /** Null where the data are not downloaded yet. */
  readonly data: FoundData | null;
  /** What the models will take on a device; none where the data are not downloaded yet. */
  readonly sizes: readonly ModelSize[];
}

export interface FoundData {
  /** Examples for training and for validation. */
  readonly training: number;
  readonly validation: number;
  /** In the order of the network's outputs; none where examples have no class. */
  readonly classes: readonly string[];
}

/**
 * Checks a pipeline and its data without running it. Data that a run would download first are a warning.
 *
 * @param dataFolder folder with data sets for which the pipeline gives no path; default: see `loadPipeline`
 * @throws UserError with every mistake
 */
export async function validate(
  pipeline: string,
  set: readonly string[] = [],
  dataFolder?: string,
): Promise<Validation> {
  const loaded = await loadPipeline(pipeline, set, dataFolder);
  const { name, stages } = loaded.pipeline;
  let found: readonly Diagnostic[] = [...warnings(loaded.pipeline, loaded.locate), ...(await checkWithoutData(loaded))];
  const source = dataSource(loaded.pipeline.data);
  let data: FoundData | null = null;
  let sizes: readonly ModelSize[] = [];
  const missing = missingFiles(sourceFiles(source));
  if (missing.length === 0) {
    const threads = threadsOf(loaded, os.availableParallelism(), null);
    const resources = openResources({
      identities: (_key, make) => make(),
      ...{ cache: null, signal: null, threads, home: qpipeHome(), now: () => performance.now() },
    });
    try {
      const checked = await makePlan(loaded, { resources, threads });
      const { trainingImages, validationImages: validation, classNames: classes } = checked.identity;
      data = { training: trainingImages - validation, validation, classes };
      found = checked.plan.warnings;
      sizes = knownSizes(checked.sizes);
    } finally {
      resources.close();
    }
  }
  const notChecked = missing.map(({ path, download }): Diagnostic => ({
    code: 'not-downloaded',
    place: { file: path },
    message: `the file does not exist yet, so its content was not checked; \`qpipe run\` downloads it from ${download.url}`,
  }));
  return {
    name,
    stages: stages.map(({ name: stage, config }) => ({ name: stage, kind: config.uses })),
    warnings: [...found, ...notChecked],
    data,
    sizes,
  };
}

/** What cannot be converted without training is no mistake of the pipeline's. */
function knownSizes(sizes: () => readonly ModelSize[]): readonly ModelSize[] {
  try {
    return sizes();
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** `convert: 12.3 KiB of tensor arena (TensorFlow Lite Micro), …` */
export function sizeText({ stage, arena, weights, file, macs }: ModelSize): string {
  const products = macs.toLocaleString('en-US');
  return (
    `${stage}: ${kib(arena)} of tensor arena (activations, on TensorFlow Lite Micro), a file of ${kib(file)} with ` +
    `${kib(weights)} of weights, ${products} multiplications for an example`
  );
}
