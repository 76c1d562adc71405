import { readFileSync } from 'node:fs';
import { internal, present } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { mapValues } from '../core/records.ts';
import { defaultMemory } from '../core/machine.ts';
import { installedVersion, packageFile } from '../core/package-file.ts';
import type { Augmentation } from '../data/augment.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import type { DatasetIdentity, DataSize } from '../data/dataset.ts';
import { identify } from '../data/dataset.ts';
import { closeExamples } from '../data/example-files.ts';
import { labelNotes, oneClass } from '../data/labels.ts';
import { loadDataset } from '../data/load.ts';
import type { IdentifiedRequest } from '../data/pool.ts';
import type { DataSource } from '../data/sources/index.ts';
import { sourceRow } from '../data/sources/index.ts';
import type { Engine, EngineName, Numerics } from '../engine/engine.ts';
import type { Model, Purpose } from '../graph/contract.ts';
import { newModel, untrainedModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { Plan, StageInput } from '../runner/plan.ts';
import type { StageNeed } from '../stages/define.ts';
import { isGivenBy } from '../stages/define.ts';
import type { StageConfig, StageKind } from '../stages/index.ts';
import type { JobPlan, StageJob } from '../stages/job.ts';
import type { LocatedOutside } from '../stages/run.ts';
import { definitionOf } from '../stages/job.ts';
import type { Resources } from '../stages/resources.ts';
import { tasks } from '../tasks/index.ts';
import { dataFileDiagnostics } from './data-files.ts';
import { keyPart } from './key-part.ts';
import type { LoadedMatrix, LoadedPipeline } from './load.ts';
import { outsideOf } from './outside.ts';
import { importedNetworks, modelDigests } from './imports.ts';
import { networkDiagnostics, networkWarnings } from './network.ts';
import type { NetworkData } from './purpose.ts';
import { modelSpec, purposeFor, resolvedTask, resolvedTasks } from './purpose.ts';
import type { ResolvedPipeline, ResolvedStage } from './resolve.ts';
import { parentOf } from './resolve.ts';
import { sizeDiagnostics, validationImages } from './checks/data.ts';
import { answerProblems, askedAnswers } from './checks/outputs.ts';
import { deviceDiagnostics, normalizedIn, normalizedOf, schemeDiagnostics } from './checks/stages.ts';
import { warnings } from './checks/warnings.ts';
import type { Conversion, ModelSize } from './targets.ts';
import { budgetProblems, conversions, modelSize, targetDiagnostics } from './targets.ts';
import { classDiagnostics } from './task-fit.ts';
import {
  batchNormsIn,
  batchNormDiagnostics,
  batchNormWarnings,
  judgementWarnings,
  normalizedLayers,
  unusedBatchNormWarnings,
} from './training-fit.ts';

export interface PlanOptions {
  readonly resources: { readonly data: Pick<Resources['data'], 'identify'>; readonly engine: Resources['engine'] };
  /** Threads of a stage. */
  readonly threads: number;
}

/** How many threads stages use: what the command line says, else the pipeline, but at most one for each core. */
export function threadsOf({ cells }: LoadedMatrix, cores: number, wanted: number | null): number {
  return Math.min(cores, wanted ?? cells[0]?.loaded.pipeline.threads ?? cores);
}

/** What is known of a pipeline before it runs. */
export interface Checked {
  /** What fits and yet is seldom meant. */
  readonly warnings: readonly Diagnostic[];
  /** Of its models once they are converted. */
  readonly sizes: () => readonly ModelSize[];
}

/** A plan, and what is known of its models. */
export interface CheckedPlan extends Pick<Checked, 'sizes'> {
  readonly plan: Plan<StageJob>;
  readonly identity: DatasetIdentity;
}

/**
 * Binds a pipeline to data, code and an engine; `checkWithoutData` comes before.
 *
 * @throws UserError for data that cannot be read, an engine that is not installed, and settings that do not fit them
 */
export async function makePlan(loaded: LoadedPipeline, { resources, threads }: PlanOptions): Promise<CheckedPlan> {
  const { pipeline, locate, text, origin } = loaded;
  const code = readCodeDigests();
  const { validation: count, augment } = dataSettings(pipeline.data);
  const data = await resources.data.identify({
    source: dataSource(pipeline.data),
    validation: { count: count ?? 0, seed: pipeline.seed },
    code: code.data,
    memory: pipeline.memory ?? defaultMemory(),
  });
  const { identity } = data;
  const place = locate(['data'], 'key');
  const notes = (identity.notes ?? []).map((message): Diagnostic => ({ code: 'odd-data', place, message }));
  // Labels first: what else does not fit matters little when there is nothing to learn.
  const labels = checkLabels(loaded, identity);
  const checked = await checkFit(loaded, identity);
  const engines = await openEngines(loaded, resources);
  const shared: Shared = {
    ...{ pipeline, code, engines, augment, threads, data },
    spec: modelSpec(pipeline, identity),
    purpose: purposeFor(pipeline, identity),
    modelDigests: await modelDigests(loaded),
    outside: await outsideOf(loaded),
  };
  const plan = {
    name: pipeline.name,
    ...{ pipeline: text, origin },
    warnings: [...warnings(pipeline, locate), ...checked.warnings, ...labels, ...notes],
    resolved: {
      ...(pipeline as unknown as JsonObject), // plain JSON by construction, see ResolvedPipeline
      stages: Object.fromEntries(pipeline.stages.map(({ name, config }) => [name, config as unknown as JsonObject])),
    },
    stages: pipeline.stages.map((stage) => planStage(stage, shared)),
  };
  return { plan, sizes: checked.sizes, identity };
}

/** The engines that the stages name. */
async function openEngines(
  { pipeline, locate }: LoadedPipeline,
  { engine }: PlanOptions['resources'],
): Promise<ReadonlyMap<EngineName, Engine>> {
  const engines = new Map<EngineName, Engine>();
  for (const { config } of pipeline.stages) {
    const name = engineOf(pipeline, config);
    if (!engines.has(name)) engines.set(name, await engine(name));
  }
  const problems = await deviceDiagnostics(pipeline, locate, (config) => engineIn(engines, pipeline, config));
  if (problems.length > 0) throw new UserError(problems, 64);
  return engines;
}

const engineIn = (engines: Shared['engines'], pipeline: ResolvedPipeline, config: StageConfig): Engine =>
  present(engines.get(engineOf(pipeline, config)), 'the engine');

/**
 * Checks what can be known of a pipeline without its data.
 *
 * @returns what fits and yet is seldom meant
 */
export async function checkWithoutData(loaded: LoadedPipeline): Promise<Diagnostic[]> {
  checkFiles(loaded);
  await outsideOf(loaded);
  const size = knownSize(dataSource(loaded.pipeline.data));
  return size === null ? [] : [...(await checkFit(loaded, size)).warnings];
}

function checkFiles(loaded: LoadedPipeline): void {
  const problems = dataFileDiagnostics(loaded);
  if (problems.length > 0) throw new UserError(problems, 64);
}

async function checkFit(loaded: LoadedPipeline, size: DataSize): Promise<Checked> {
  const { pipeline, locate } = loaded;
  const sizes = sizeDiagnostics(pipeline, locate, size);
  const imported = await importedNetworks(loaded, purposeFor(pipeline, size)).catch((error: unknown) => {
    throw error instanceof UserError ? new UserError([...sizes, ...error.diagnostics], 64) : error;
  });
  const graphs = Array.from(imported.values(), ({ model }) => model.graph);
  const spec = modelSpec(pipeline, size);
  const inLayers = pipeline.model !== undefined && 'layers' in pipeline.model;
  const misfits = spec === null ? [] : networkDiagnostics(spec, locate, inLayers);
  const normalized = [
    ...(spec !== null && misfits.length === 0 ? normalizedLayers(spec) : []),
    ...graphs.flatMap(batchNormsIn),
  ];
  const problems = [
    ...sizes,
    ...[...(spec === null ? [] : [normalizedOf(spec)]), ...graphs.map(normalizedIn)].flatMap((layers) =>
      schemeDiagnostics(pipeline, layers, locate),
    ),
    ...misfits,
    ...batchNormDiagnostics(pipeline, normalized, locate),
  ];
  if (problems.length > 0) throw new UserError(problems, 64);
  const schemes = pipeline.stages.flatMap(({ config }) =>
    config.uses === 'qat' || config.uses === 'ptq' ? [config.scheme] : [],
  );
  const untrained = spec === null ? null : untrainedModel(spec);
  const converted = () => conversions(pipeline, (first) => imported.get(first)?.model ?? untrained);
  return {
    warnings: [
      ...checkTargets(loaded, converted),
      ...judgementWarnings(pipeline, locate, size.trainingImages - validationImages(pipeline, size)),
      ...batchNormWarnings(pipeline, normalized, locate),
      ...unusedBatchNormWarnings(pipeline, normalized, locate),
      ...(spec === null ? [] : networkWarnings(spec, schemes, locate, inLayers)),
    ],
    sizes: () => converted().map(modelSize),
  };
}

/** @returns what a target leaves to another. Throws for what it does not take, and what is over its budget. */
function checkTargets(loaded: LoadedPipeline, converted: () => readonly Conversion[]): readonly Diagnostic[] {
  if (loaded.pipeline.target === undefined) return [];
  const found = converted();
  const { problems, warnings: left } = targetDiagnostics(loaded, found);
  const all = [...problems, ...budgetProblems(loaded, found)];
  if (all.length > 0) throw new UserError(all, 64);
  return left;
}

/** What is odd in the labels, but allowed. Throws for labels that cannot be learned from. */
function checkLabels({ pipeline, locate }: LoadedPipeline, identity: DatasetIdentity): Diagnostic[] {
  const asked = askedAnswers(pipeline.model, tasks[resolvedTask(pipeline)].answers);
  const missing = answerProblems(asked, identity, locate);
  if (missing.length > 0) throw new UserError(missing, 64);
  const problems = classDiagnostics(pipeline, identity, locate);
  if (problems.length > 0) throw new UserError(problems, 64);
  if (asked.every(({ answers }) => answers !== 'classes')) return [];
  const mistake = oneClass(identity);
  if (mistake !== null) throw mistake;
  const place = locate(['data'], 'key');
  return labelNotes(identity).map((message) => ({ code: 'odd-labels', place, message, hint: 'look at the labels' }));
}

/** What the stages of a pipeline have in common. */
interface Shared {
  readonly pipeline: ResolvedPipeline;
  readonly data: IdentifiedRequest;
  readonly augment: Augmentation;
  /** Null for a pipeline without a `model`. */
  readonly spec: ModelSpec | null;
  readonly purpose: Purpose;
  /** Of the files of import stages, by their names. */
  readonly modelDigests: ReadonlyMap<string, Digest>;
  /** Of the stages that read something outside of the pipeline, by their names. */
  readonly outside: ReadonlyMap<string, LocatedOutside>;
  readonly engines: ReadonlyMap<EngineName, Engine>;
  readonly threads: number;
  readonly code: CodeDigests;
}

/** The engine of a stage: its own where it names one. */
function engineOf(pipeline: ResolvedPipeline, config: StageConfig): EngineName {
  return 'engine' in config ? (config.engine ?? pipeline.engine) : pipeline.engine;
}

function planStage({ name, config }: ResolvedStage, shared: Shared): JobPlan {
  const { pipeline, code, threads, data, augment, spec, purpose } = shared;
  const definition = definitionOf(config);
  const uses = new Set(definition.uses);
  const trajectory = definition.trajectory(config);
  const outside = shared.outside.get(name) ?? null;
  const keyed = (fields: object): JsonObject => ({
    stage: keyPart(definition.config, fields),
    // As the stage receives it: the meaning of a preset or a default may change between versions.
    ...(uses.has('model') && spec !== null ? { model: spec as unknown as JsonObject } : {}), // plain JSON by construction
    ...(uses.has('purpose') ? { purpose: purpose as unknown as JsonObject } : {}), // the same
    ...(uses.has('loss') ? { loss: { ...pipeline.loss } } : {}),
    ...(uses.has('augment') ? { augment: augment as unknown as JsonObject } : {}), // the same
  });
  return {
    name,
    kind: definition.kind,
    implementation: {
      id: `builtin:${definition.kind}`,
      revision: definition.revision,
      code: code.stages[config.uses].code,
    },
    config: keyed(config),
    ...(trajectory !== null && { trajectory: keyed(trajectory) }),
    seeds: uses.has('seed') ? { seed: pipeline.seed } : {},
    environment: {
      ...keyEnvironment(config, shared),
      ...(outside !== null && { variables: { ...outside.variables } }),
    },
    replicas: 'devices' in config ? config.devices.length : 1,
    inputs: { ...stageInputs(name, config, pipeline), ...externalInputs(name, uses, shared) },
    outputs: definition.outputs(config),
    job: {
      ...{ config, threads, data, augment, purpose, seed: pipeline.seed, loss: pipeline.loss, model: spec },
      engine: engineOf(pipeline, config),
      modelFile: shared.modelDigests.get(name) ?? null,
      outside,
    },
    needs: definition.needs(config) ?? { threads: uses.has('engine') ? threads : 0 },
  };
}

/** What of code and machine decides the bytes of a stage. */
function keyEnvironment(config: StageConfig, { pipeline, code, engines }: Shared): JsonObject {
  // The digest of the code holds what qpipe was built with; a package may have been replaced since, or be missing.
  const packages = Object.fromEntries(code.stages[config.uses].packages.map((name) => [name, installedVersion(name)]));
  if (!definitionOf(config).uses.includes('engine')) return { packages };
  const engine = engineIn(engines, pipeline, config);
  return {
    packages,
    engine: `${engine.name}@${engine.version}`,
    engineCode: code.engines[engine.name],
    ...numericsPart(engine.numerics),
  };
}

/** What a stage reads that no stage writes. */
function externalInputs(
  name: string,
  uses: ReadonlySet<StageNeed>,
  { pipeline, modelDigests, data, outside }: Shared,
): Readonly<Record<string, StageInput>> {
  const { training, test } = data.identity.digests;
  const modelDigest = modelDigests.get(name);
  const decides = resolvedTasks(pipeline).some((task) => tasks[task].decides);
  return {
    ...(modelDigest === undefined ? {} : { file: externalInput('ModelFile/1', modelDigest) }),
    ...mapValues(outside.get(name)?.inputs ?? {}, ({ type, digest }) => externalInput(type, digest)),
    ...(uses.has('training-data') ? { data: dataInput(training) } : {}),
    // Those of validation are a part of the training data.
    ...(uses.has('validation-data') && decides ? { validation: dataInput(training) } : {}),
    ...(uses.has('test-data') ? { data: dataInput(test) } : {}),
  };
}

function numericsPart(numerics: Numerics): JsonObject {
  switch (numerics.kind) {
    case 'strict':
      return { numerics: 'strict' };
    case 'native':
      return { numerics: 'native', architecture: numerics.architecture, cores: numerics.cores };
  }
}

/** The files of a stage, each from the nearest stage on its `from` chain that writes it. */
function stageInputs(
  name: string,
  config: StageConfig,
  { stages }: ResolvedPipeline,
): Readonly<Record<string, StageInput>> {
  const byName = new Map(stages.map((stage) => [stage.name, stage.config]));
  const inputs: Record<string, StageInput> = {};
  for (const [input, rule] of Object.entries(definitionOf(config).inputs(config))) {
    let ancestor = parentOfStage(byName, name);
    let found: StageInput | null = null;
    while (ancestor !== null && found === null) {
      const writer = present(byName.get(ancestor), `stage ${ancestor}`);
      const output = Object.entries(definitionOf(writer).outputs(writer)).find(([, given]) => isGivenBy(rule, given));
      if (output !== undefined) found = { kind: 'output', stage: ancestor, output: output[0], type: output[1].type };
      ancestor = parentOfStage(byName, ancestor);
    }
    if (found !== null) inputs[input] = found;
    else if (!rule.optional) internal(`nothing before stage "${name}" writes its input "${input}"`);
  }
  return inputs;
}

function parentOfStage(byName: ReadonlyMap<string, ResolvedStage['config']>, name: string): string | null {
  return parentOf(present(byName.get(name), `stage ${name}`));
}

const externalInput = (type: string, digest: Digest): StageInput => ({ kind: 'external', type, digest });
const dataInput = (digest: Digest): StageInput => externalInput('Dataset/1', digest);

/**
 * The network of a pipeline with fresh weights, or that of its first import stage; reads the data where its classes and
 * image size are not known without.
 */
export async function pipelineNetwork(loaded: LoadedPipeline): Promise<Model> {
  const { pipeline } = loaded;
  const data = await networkData(loaded);
  const spec = modelSpec(pipeline, data);
  if (spec !== null) return newModel(spec, pipeline.seed);
  const [imported] = (await importedNetworks(loaded, purposeFor(pipeline, data))).values();
  return imported?.model ?? internal('a pipeline without a network passed its checks');
}

async function networkData(loaded: LoadedPipeline): Promise<NetworkData> {
  const { pipeline } = loaded;
  const source = dataSource(pipeline.data);
  const size = knownSize(source);
  const { validation, normalize } = dataSettings(pipeline.data);
  if (size !== null && normalize !== 'auto') return size;
  checkFiles(loaded);
  const dataset = await loadDataset(source, { count: validation ?? 0, seed: pipeline.seed });
  const found = await identify(dataset);
  closeExamples(dataset);
  return found;
}

/** The size, where it is known without reading the files: a run whose stages are all stored does not read them. */
const knownSize = (source: DataSource): DataSize | null => sourceRow(source).knownSize(source);

/** Digests of code, written by the build. */
interface CodeDigests {
  /** With the packages that the code imports. */
  readonly stages: { readonly [K in StageKind]: { readonly code: Digest; readonly packages: readonly string[] } };
  /** What turns files into examples. */
  readonly data: Digest;
  readonly engines: Readonly<Record<EngineName, Digest>>;
}

function readCodeDigests(): CodeDigests {
  return JSON.parse(readFileSync(packageFile('dist/stage-manifest.json'), 'utf8')) as CodeDigests; // of our build
}
