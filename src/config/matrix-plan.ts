/** The plan of a matrix: those of its cells in one, in which stages that are equal are one stage. */
import { isDeepStrictEqual } from 'node:util';
import { present } from '../core/assert.ts';
import type { Diagnostic, FailureExitCode } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { mapValues } from '../core/records.ts';
import { isRecord } from '../core/schema.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import type { DataPool, IdentifiedRequest } from '../data/pool.ts';
import { stageKey } from '../runner/fingerprint.ts';
import type { Plan } from '../runner/plan.ts';
import type { MatrixRecord } from '../runner/record.ts';
import type { JobPlan, StageJob } from '../stages/job.ts';
import type { LoadedMatrix, LoadedPipeline } from './load.ts';
import { mergeInMatrix } from './load.ts';
import type { Axis, Choices } from './matrix.ts';
import { choiceTexts, varies } from './matrix.ts';
import type { CheckedPlan, PlanOptions } from './plan.ts';
import { checkWithoutData, makePlan } from './plan.ts';
import type { ModelSize } from './targets.ts';

/** `checkWithoutData` for all cells. */
export async function checkMatrixWithoutData(matrix: LoadedMatrix): Promise<Diagnostic[]> {
  return mergeInMatrix(matrix, await forEachCell(matrix, checkWithoutData));
}

/** `makePlan` for all cells; one cell has the plan that it has without a matrix. */
export async function makeMatrixPlan(matrix: LoadedMatrix, options: PlanOptions): Promise<CheckedPlan> {
  const data = sharedData(options.resources.data, requestsOf(matrix));
  const resources = { engine: options.resources.engine, data };
  const checked = await forEachCell(matrix, (loaded) => makePlan(loaded, { ...options, resources }));
  const first = present(checked[0], 'a cell');
  if (checked.length === 1) return first;
  const plans = checked.map(({ plan }) => plan);
  const { stages, record } = unite(matrix, plans);
  const warnings = mergeInMatrix(
    matrix,
    plans.map((plan) => plan.warnings),
  );
  const plan = { ...first.plan, stages, matrix: record, warnings, resolved: resolvedOf(record, plans) };
  return { plan, identity: first.identity, sizes: () => sizesOf(record, checked) };
}

/** @throws UserError with the mistakes of all cells, each said once */
async function forEachCell<T>(matrix: LoadedMatrix, body: (loaded: LoadedPipeline) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const mistakes: (readonly Diagnostic[])[] = [];
  let exitCode: FailureExitCode | null = null;
  for (const { loaded } of matrix.cells) {
    try {
      results.push(await body(loaded));
      mistakes.push([]);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      mistakes.push(error.diagnostics);
      exitCode ??= error.exitCode;
    }
  }
  if (exitCode !== null) throw new UserError(mergeInMatrix(matrix, mistakes), exitCode);
  return results;
}

/** How many sets of examples the cells ask for. */
function requestsOf({ cells }: LoadedMatrix): number {
  const requests = cells.map(({ loaded: { pipeline } }) => {
    const { validation } = dataSettings(pipeline.data);
    return JSON.stringify([dataSource(pipeline.data), validation, pipeline.seed]);
  });
  return new Set(requests).size;
}

/** Each set of examples is identified once; together they take the memory that one may take. */
function sharedData(data: Pick<DataPool, 'identify'>, requests: number): Pick<DataPool, 'identify'> {
  const identified = new Map<string, Promise<IdentifiedRequest>>();
  return {
    identify(request) {
      const shared = { ...request, memory: Math.floor(request.memory / requests) };
      const key = JSON.stringify(shared);
      const found = identified.get(key) ?? data.identify(shared);
      identified.set(key, found);
      return found;
    },
  };
}

/** A stage of the united plan. */
interface SharedStage {
  /** In the pipeline. */
  readonly called: string;
  /** Equal for stages that have equal results. */
  readonly key: string;
  readonly plan: JobPlan;
  /** Of the stages that it reads. */
  readonly producers: ReadonlyMap<string, SharedStage>;
  /** Indices of the cells that have it. */
  readonly cells: number[];
}

function unite(
  { axes, cells }: LoadedMatrix,
  plans: readonly Plan<StageJob>[],
): { readonly stages: JobPlan[]; readonly record: MatrixRecord } {
  const choices = cells.map((cell) => cell.choices);
  const shared: SharedStage[] = [];
  const byKey = new Map<string, SharedStage[]>();
  const inCells = plans.map((plan, cell) => {
    const own = new Map<string, SharedStage>();
    for (const stage of plan.stages) {
      const found = sharedStage(stage, own, byKey);
      if (found.cells.length === 0) shared.push(found);
      found.cells.push(cell);
      own.set(stage.name, found);
    }
    return own;
  });
  const names = new Map(namesOf(shared, axes, choices));
  const nameOf = (stage: SharedStage): string => present(names.get(stage), 'the name of a stage');
  const stages = shared.map((stage): JobPlan => ({
    ...stage.plan,
    name: nameOf(stage),
    inputs: mapValues(stage.plan.inputs, (input) =>
      input.kind === 'external'
        ? input
        : { ...input, stage: nameOf(present(stage.producers.get(input.stage), `stage ${input.stage}`)) },
    ),
  }));
  const record: MatrixRecord = {
    axes: axes.map(({ setting, name, values, labels }) => ({
      setting,
      name,
      values: [...values],
      labels: [...labels],
    })),
    cells: inCells.map((own, cell) => ({
      name: choiceTexts(axes, present(choices[cell], 'a cell'), varies).join(', '),
      choices: [...present(choices[cell], 'a cell')],
      stages: Object.fromEntries(Array.from(own, ([name, stage]) => [name, nameOf(stage)])),
    })),
  };
  return { stages, record };
}

/** That of an earlier cell which is equal, or a new one. */
function sharedStage(
  stage: JobPlan,
  own: ReadonlyMap<string, SharedStage>,
  byKey: Map<string, SharedStage[]>,
): SharedStage {
  const digests = mapValues(stage.inputs, (input): Digest =>
    input.kind === 'external' ? input.digest : `sha256:${present(own.get(input.stage), `stage ${input.stage}`).key}`,
  );
  const { key } = stageKey(stage, digests);
  const alike = byKey.get(`${stage.name} ${key}`) ?? [];
  // A gate is in no key, and yet decides what is said of a result.
  const equal = alike.find(({ plan }) => isDeepStrictEqual(plan.job.config, stage.job.config));
  if (equal !== undefined) return equal;
  const made = { called: stage.name, key, plan: stage, producers: own, cells: [] };
  byKey.set(`${stage.name} ${key}`, [...alike, made]);
  return made;
}

const longestName = 120;

/** The name in the pipeline, with the values of those axes on which the stage depends: `qat@seed=1@scheme=int8`. */
function namesOf(
  shared: readonly SharedStage[],
  axes: readonly Axis[],
  cells: readonly Choices[],
): (readonly [SharedStage, string])[] {
  const relevant = new Map<string, ReadonlySet<number>>();
  const names = new Set<string>();
  return shared.map((stage) => {
    const { called } = stage;
    const on =
      relevant.get(called) ??
      relevantAxes(
        shared.filter((other) => other.called === called),
        axes,
        cells,
      );
    relevant.set(called, on);
    const first = stage.cells[0] ?? 0;
    const values = choiceTexts(axes, present(cells[first], 'a cell'), (_, index) => on.has(index));
    // Not commas, which separate names on the command line.
    const full = [called, ...values].join('@');
    const name = full.length <= longestName && !names.has(full) ? full : `${called}@cell=${first + 1}`;
    names.add(name);
    return [stage, name] as const;
  });
}

/** Of which a change alone makes another stage of a stage, somewhere in the matrix. */
function relevantAxes(same: readonly SharedStage[], axes: readonly Axis[], cells: readonly Choices[]): Set<number> {
  const stageOf = new Map(same.flatMap((stage) => stage.cells.map((cell) => [cell, stage] as const)));
  const depends = (axis: number): boolean => {
    const seen = new Map<string, SharedStage | undefined>();
    return cells.some((choices, cell) => {
      const others = choices.filter((_, index) => index !== axis).join();
      const stage = stageOf.get(cell);
      if (seen.has(others)) return seen.get(others) !== stage;
      seen.set(others, stage);
      return false;
    });
  };
  return new Set(axes.flatMap((_, index) => (depends(index) ? [index] : [])));
}

/** The first cell's settings, and for each cell what is otherwise: null for what it lacks. */
function resolvedOf(record: MatrixRecord, plans: readonly Plan[]): JsonObject {
  const first = present(plans[0], 'a cell').resolved;
  const before = leaves(first);
  const cells = record.cells.map((cell, index) => {
    const now = leaves(present(plans[index], 'a cell').resolved);
    const changed = [...now].filter(([path, value]) => !isDeepStrictEqual(before.get(path), value));
    const gone = [...before.keys()].filter((path) => !now.has(path)).map((path) => [path, null] as const);
    return { ...cell, settings: Object.fromEntries([...changed, ...gone]) };
  });
  return { ...first, matrix: { axes: record.axes, cells } };
}

/** By path; lists are values. */
function leaves(value: Json, path = ''): Map<string, Json> {
  if (!isRecord(value) || Object.keys(value).length === 0) return new Map([[path, value]]);
  const inside = Object.entries(value);
  return new Map(inside.flatMap(([name, field]) => [...leaves(field, path === '' ? name : `${path}.${name}`)]));
}

/** Of every model once, by the name of its stage in the run. */
function sizesOf({ cells }: MatrixRecord, checked: readonly CheckedPlan[]): ModelSize[] {
  const sizes = checked.flatMap(({ sizes: ofCell }, index) =>
    ofCell().map((size) => ({ ...size, stage: cells[index]?.stages[size.stage] ?? size.stage })),
  );
  return [...new Map(sizes.map((size) => [size.stage, size])).values()];
}
