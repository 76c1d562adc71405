import os from 'node:os';
import { loadMatrix, mergeInMatrix } from '../config/load.ts';
import { checkMatrixWithoutData, makeMatrixPlan } from '../config/matrix-plan.ts';
import { threadsOf } from '../config/plan.ts';
import { warnings } from '../config/checks/warnings.ts';
import { varies } from '../config/matrix.ts';
import type { ModelSize } from '../config/targets.ts';
import { present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { counted } from '../core/words.ts';
import { missingFiles } from '../data/download.ts';
import { qpipeHome } from '../install/home.ts';
import { openResources } from '../stages/resources.ts';
import { filesOf } from './missing-data.ts';
import { kib } from '../targets/file.ts';

export interface Validation {
  readonly name: string;
  /** In the order in which they would run; of the first cell where there is a matrix. */
  readonly stages: readonly { readonly name: string; readonly kind: string }[];
  readonly warnings: readonly Diagnostic[];
  /** Null where the data are not downloaded yet; of the first cell where there is a matrix. */
  readonly data: FoundData | null;
  /** What the models will take on a device; none where the data are not downloaded yet. */
  readonly sizes: readonly ModelSize[];
  /** Left out without a matrix. */
  readonly matrix?: ValidMatrix;
}

export interface ValidMatrix {
  /** Of each axis its short name and words for its values. */
  readonly axes: readonly { readonly name: string; readonly values: readonly string[] }[];
  readonly cells: number;
  /** How many stages a run has, those that cells share counted once; null where the data are not downloaded yet. */
  readonly stages: number | null;
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
  const loaded = await loadMatrix(pipeline, set, dataFolder);
  const { axes, cells } = loaded;
  const { name, stages } = present(cells[0], 'a cell').loaded.pipeline;
  const seldomMeant = cells.map((cell) => warnings(cell.loaded.pipeline, cell.loaded.locate));
  let found: readonly Diagnostic[] = [...mergeInMatrix(loaded, seldomMeant), ...(await checkMatrixWithoutData(loaded))];
  let planned: number | null = null;
  let data: FoundData | null = null;
  let sizes: readonly ModelSize[] = [];
  const missing = missingFiles(filesOf(loaded));
  if (missing.length === 0) {
    const threads = threadsOf(loaded, os.availableParallelism(), null);
    const resources = openResources({
      identities: (_key, make) => make(),
      ...{ cache: null, signal: null, threads, home: qpipeHome(), now: () => performance.now() },
    });
    try {
      const checked = await makeMatrixPlan(loaded, { resources, threads });
      const { trainingImages, validationImages: validation, classNames: classes } = checked.identity;
      data = { training: trainingImages - validation, validation, classes };
      found = checked.plan.warnings;
      planned = checked.plan.stages.length;
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
    ...(cells.length === 1
      ? {}
      : {
          matrix: {
            axes: axes.filter(varies).map((axis) => ({ name: axis.name, values: axis.labels })),
            cells: cells.length,
            stages: planned,
          },
        }),
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

/** `6 cells, seed (1, 2, 3) × scheme (int8, uint8): 27 stages` */
export function matrixText({ axes, cells, stages }: ValidMatrix): string {
  const product = axes.map(({ name, values }) => `${name} (${values.join(', ')})`).join(' × ');
  return `matrix: ${counted(cells, 'cell')}, ${product}${stages === null ? '' : `; they have ${counted(stages, 'stage')} in all`}`;
}
