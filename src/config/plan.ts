import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { internal, present, unreachable } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { UserError, userError } from '../core/diagnostic.ts';
import type { JsonObject } from '../core/json.ts';
import { defaultMemory } from '../core/machine.ts';
import { installedVersion, packageFile } from '../core/package-file.ts';
import { dataSettings, dataSource } from '../data/config.ts';
import type { Dataset, DatasetIdentity, DataSize } from '../data/dataset.ts';
import type { IdentifiedData } from '../data/example-files.ts';
import { closeExamples } from '../data/example-files.ts';
import { identify } from '../data/dataset.ts';
import type { DataSource } from '../data/sources/index.ts';
import { sourceRow } from '../data/sources/index.ts';
import { labelNotes, oneClass } from '../data/labels.ts';
import type { DataCache, LoadOptions } from '../data/load.ts';
import { loadDataset, loadIdentified, openFiles, recipeDigest, sourceFiles } from '../data/load.ts';
import type { ValidationOptions } from '../data/split.ts';
import type { Engine, EngineName, Numerics } from '../engine/engine.ts';
import { referenceEngine } from '../engine/reference.ts';
import { stoppable } from '../engine/stoppable.ts';
import { wasmEngine } from '../engine/wasm/index.ts';
import type { Model, Purpose } from '../graph/contract.ts';
import { newModel, untrainedModel } from '../models/build.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { Digest } from '../core/digest.ts';
import type { Plan, StageContext, StageInput, StagePlan } from '../runner/plan.ts';
import { artifactChecks } from '../stages/artifacts.ts';
import type { StageDefinition } from '../stages/define.ts';
import type { StageConfig, StageKind } from '../stages/index.ts';
import { stages as definitions } from '../stages/index.ts';
import type { StageEnvironment } from '../stages/run.ts';
import type { Answers } from '../tasks/define.ts';
import { tasks } from '../tasks/index.ts';
import { dataFileDiagnostics } from './data-files.ts';
import { keyPart } from './key-part.ts';
import type { LoadedPipeline } from './load.ts';
import { importedNetworks, modelDigests } from './imports.ts';
import { networkDiagnostics, networkWarnings } from './network.ts';
import type { NetworkData } from './purpose.ts';
import { modelSpec, purposeFor, resolvedTask } from './purpose.ts';
import type { ResolvedPipeline, ResolvedStage } from './resolve.ts';
import { parentOf } from './resolve.ts';
import { sizeDiagnostics, validationImages } from './checks/data.ts';
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
  /** The folder that qpipe keeps for all pipelines; installed engines are in it. */
  readonly home: string;
  /** Threads of the engine as the command line says; null leaves them to the pipeline, and that to `cores`. */
  readonly threads: number | null;
  /** Of this machine. More threads than that only stand in each other's way. */
  readonly cores: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
  readonly identities: IdentityMemory;
  /** Where decoded examples are kept; null for nowhere. */
  readonly cache: DataCache | null;
  /** Ends the reading of data. */
  readonly signal?: AbortSignal;
}

/** What is known of a pipeline before it runs. */
export interface Checked {
  /** What fits and yet is seldom meant. */
  readonly warnings: readonly Diagnostic[];
  /** Of its models once they are converted. */
  readonly sizes: () => readonly ModelSize[];
}

/** A plan, and what it holds open. */
export interface OpenPlan extends Plan, Pick<Checked, 'sizes'> {
  /** Closes the data; no stage may run after it. */
  readonly close: () => void;
}

/**
 * Gives what was made for this key before, else makes it: decoding a data set takes longer than a run of stored stages.
 */
export type IdentityMemory = (key: Digest, make: () => Promise<DatasetIdentity>) => Promise<DatasetIdentity>;

/**
 * Binds a pipeline to data, code and an engine; `checkWithoutData` comes before.
 *
 * @throws UserError for data that cannot be read, an engine that is not installed, and settings that do not fit them
 */
export async function makePlan(loaded: LoadedPipeline, options: PlanOptions): Promise<OpenPlan> {
  const { pipeline } = loaded;
  const source = dataSource(pipeline.data);
  const { validation: count } = dataSettings(pipeline.data);
  const validation = { count: count ?? 0, seed: pipeline.seed };
  const code = readCodeDigests();
  const threads = Math.min(options.cores, options.threads ?? pipeline.threads ?? options.cores);
  const { cache, signal = null } = options;
  const loading: LoadOptions = { threads, memory: pipeline.memory ?? defaultMemory(), signal, cache };
  const data = await openData(source, validation, code.data, options.identities, loading);
  try {
    const plan = await bindPlan(loaded, options, { ...data, code, threads });
    return { ...plan, close: data.close };
  } catch (error) {
    data.close();
    throw error;
  }
}

async function bindPlan(
  loaded: LoadedPipeline,
  options: PlanOptions,
  { identity, load, code, threads }: OpenData & { readonly code: CodeDigests; readonly threads: number },
): Promise<Plan & Pick<Checked, 'sizes'>> {
  const { pipeline, locate, text } = loaded;
  const { augment } = dataSettings(pipeline.data);
  const place = locate(['data'], 'key');
  const notes = (identity.notes ?? []).map((message): Diagnostic => ({ code: 'odd-data', place, message }));
  // Labels first: what else does not fit matters little when there is nothing to learn.
  const labels = checkLabels(loaded, identity);
  const checked = await checkFit(loaded, identity);
  const fit = [...checked.warnings, ...labels, ...notes];
  const purpose = purposeFor(pipeline, identity);
  const spec = modelSpec(pipeline, identity);

  const wanted = new Set(pipeline.stages.map(({ config }) => engineOf(pipeline, config)));
  const opened = new Map<EngineName, Engine>();
  for (const name of wanted) opened.set(name, await engines[name](options.home));
  const engineFor = (config: StageConfig): Engine => present(opened.get(engineOf(pipeline, config)), 'the engine');
  const problems = await deviceDiagnostics(pipeline, locate, engineFor);
  if (problems.length > 0) throw new UserError(problems, 64);
  const shared: Shared = {
    pipeline,
    identity,
    spec,
    purpose,
    modelDigests: await modelDigests(loaded),
    engineFor,
    threads,
    code,
    environment: {
      seed: pipeline.seed,
      trainingData: load,
      testData: load,
      augment,
      loss: pipeline.loss,
      model: () => present(spec, 'a model'),
      purpose: () => purpose,
      threads,
      now: () => options.now(),
    },
  };
  return {
    name: pipeline.name,
    pipeline: text,
    warnings: [...warnings(pipeline, locate), ...fit],
    resolved: {
      ...(pipeline as unknown as JsonObject), // plain JSON by construction, see ResolvedPipeline
      stages: Object.fromEntries(pipeline.stages.map(({ name, config }) => [name, config as unknown as JsonObject])),
    },
    stages: pipeline.stages.map((stage) => planStage(stage, shared)),
    sizes: checked.sizes,
  };
}

/**
 * Checks what can be known of a pipeline without its data.
 *
 * @returns what fits and yet is seldom meant
 */
export async function checkWithoutData(loaded: LoadedPipeline): Promise<Diagnostic[]> {
  checkFiles(loaded);
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
  const { answers } = tasks[resolvedTask(pipeline)];
  const missing = missingAnswers(answers, identity);
  if (missing !== null) throw new UserError([{ code: 'no-answers', place: locate(['data'], 'key'), ...missing }], 64);
  const problems = classDiagnostics(pipeline, identity, locate);
  if (problems.length > 0) throw new UserError(problems, 64);
  if (answers !== 'classes') return [];
  const mistake = oneClass(identity);
  if (mistake !== null) throw mistake;
  const place = locate(['data'], 'key');
  return labelNotes(identity).map((message) => ({ code: 'odd-labels', place, message, hint: 'look at the labels' }));
}

/** What is said of data that have nothing to compare the network's answers with; else null. */
function missingAnswers(
  answers: Answers,
  { classNames, tags, targets, hasMasks }: DatasetIdentity,
): Pick<Diagnostic, 'message' | 'hint'> | null {
  const taskFor =
    tags !== undefined
      ? 'multi_label'
      : hasMasks !== undefined
        ? 'segment'
        : targets !== undefined
          ? 'regress'
          : 'reconstruct';
  switch (answers) {
    case 'classes':
      return classNames.length > 0 && hasMasks === undefined
        ? null
        : {
            message: 'the examples have no classes, which a network that classifies needs',
            hint: `set \`model.task: ${taskFor}\`, or name the classes with \`data.columns.class\``,
          };
    case 'targets':
      return targets !== undefined
        ? null
        : {
            message: 'the examples have no targets, which a network with `task: regress` needs',
            hint: 'name columns of `csv` or an array of `npz` with `data.columns.targets`, or leave `task` out to classify',
          };
    case 'tags':
      return tags !== undefined
        ? null
        : {
            message: 'the examples have no labels of yes and no, which a network with `task: multi_label` needs',
            hint: 'name columns of `csv` or an array of `npz` with `data.columns.labels`, or leave `task` out to classify',
          };
    case 'masks':
      return hasMasks !== undefined
        ? null
        : {
            message: 'the examples have no masks, which a network with `task: segment` needs',
            hint: 'name an array of `npz` with `data.columns.masks`, or leave `task` out to classify',
          };
    case 'inputs':
      return null;
    default:
      return unreachable(answers);
  }
}

interface Shared {
  readonly pipeline: ResolvedPipeline;
  readonly identity: DatasetIdentity;
  /** Null for a pipeline without a `model`. */
  readonly spec: ModelSpec | null;
  readonly purpose: Purpose;
  /** Of the files of import stages, by their names. */
  readonly modelDigests: ReadonlyMap<string, Digest>;
  readonly engineFor: (config: StageConfig) => Engine;
  readonly threads: number;
  readonly code: CodeDigests;
  readonly environment: Omit<StageEnvironment, 'open' | 'checkModelFile'>;
}

/** The engine of a stage: its own where it names one. */
function engineOf(pipeline: ResolvedPipeline, config: StageConfig): EngineName {
  return 'engine' in config ? (config.engine ?? pipeline.engine) : pipeline.engine;
}

const engines: { readonly [E in EngineName]: (home: string) => Promise<Engine> } = {
  wasm: () => Promise.resolve(wasmEngine),
  reference: () => Promise.resolve(referenceEngine),
  // Its code is not even read unless it is asked for.
  tensorflow: async (home) => (await import('../engine/tensorflow/index.ts')).loadTensorflowEngine(home),
};

function planStage({ name, config }: ResolvedStage, shared: Shared): StagePlan {
  const { pipeline, code, threads } = shared;
  const engine = shared.engineFor(config);
  const modelDigest = shared.modelDigests.get(name);
  const environment: StageEnvironment = {
    ...shared.environment,
    checkModelFile: (found) => (found === modelDigest ? Promise.resolve() : Promise.reject(changedModel(name))),
    open: (graph, replicas, devices) =>
      engine.open(graph, { replicas, threads, ...(devices === undefined ? {} : { devices }) }),
  };
  const stoppableIn = ({ signal }: StageContext): StageEnvironment => ({
    ...environment,
    open: async (...args) => stoppable(await environment.open(...args), signal),
  });
  // The table pairs kinds with configs; by index it forgets which.
  const definition = definitions[config.uses] as StageDefinition;
  const uses = new Set(definition.uses);
  return {
    name,
    kind: definition.kind,
    implementation: {
      id: `builtin:${definition.kind}`,
      revision: definition.revision,
      code: code.stages[config.uses].code,
    },
    config: {
      stage: keyPart(definition.config, config),
      // As the stage receives it: the meaning of a preset or a default may change between versions.
      ...(uses.has('model') && shared.spec !== null ? { model: shared.spec as unknown as JsonObject } : {}), // plain JSON by construction
      ...(uses.has('purpose') ? { purpose: shared.purpose as unknown as JsonObject } : {}), // the same
      ...(uses.has('loss') ? { loss: { ...pipeline.loss } } : {}),
      ...(uses.has('augment') ? { augment: shared.environment.augment as unknown as JsonObject } : {}), // the same
    },
    seeds: uses.has('seed') ? { seed: pipeline.seed } : {},
    environment: {
      // The digest of the code holds what qpipe was built with; a package may have been replaced since, or be missing.
      packages: Object.fromEntries(code.stages[config.uses].packages.map((name) => [name, installedVersion(name)])),
      ...(uses.has('engine')
        ? {
            engine: `${engine.name}@${engine.version}`,
            engineCode: code.engines[engine.name],
            ...numericsPart(engine.numerics),
          }
        : {}),
    },
    replicas: 'devices' in config ? config.devices.length : 1,
    inputs: {
      ...stageInputs(name, definition, pipeline),
      ...(modelDigest === undefined ? {} : { file: externalInput('ModelFile/1', modelDigest) }),
      ...(uses.has('training-data') ? { data: dataInput(shared.identity.digests.training) } : {}),
      // Those of validation are a part of the training data.
      ...(uses.has('validation-data') && tasks[shared.purpose.task].decides
        ? { validation: dataInput(shared.identity.digests.training) }
        : {}),
      ...(uses.has('test-data') ? { data: dataInput(shared.identity.digests.test) } : {}),
    },
    outputs: definition.outputs,
    check: (output, file) => artifactChecks[definition.outputs[output]?.type ?? internal(`no output ${output}`)](file),
    // The definition is that of its own kind.
    execute: (context) => definition.run(config, context, stoppableIn(context)),
    judge: (metrics) => definition.judge(config, metrics),
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

/** The files of a stage, each from the nearest stage on its `from` chain that writes the type. */
function stageInputs(
  name: string,
  definition: StageDefinition,
  { stages }: ResolvedPipeline,
): Readonly<Record<string, StageInput>> {
  const byName = new Map(stages.map((stage) => [stage.name, stage.config]));
  const inputs: Record<string, StageInput> = {};
  for (const [input, { type, optional }] of Object.entries(definition.inputs)) {
    let ancestor = parentOfStage(byName, name);
    let found: StageInput | null = null;
    while (ancestor !== null && found === null) {
      const kind = present(byName.get(ancestor), `stage ${ancestor}`).uses;
      const output = Object.entries(definitions[kind].outputs).find(([, rule]) => rule.type === type)?.[0];
      if (output !== undefined) found = { kind: 'output', stage: ancestor, output, type };
      ancestor = parentOfStage(byName, ancestor);
    }
    if (found !== null) inputs[input] = found;
    else if (!optional) internal(`nothing before stage "${name}" writes a ${type}`);
  }
  return inputs;
}

function parentOfStage(byName: ReadonlyMap<string, ResolvedStage['config']>, name: string): string | null {
  return parentOf(present(byName.get(name), `stage ${name}`));
}

const externalInput = (type: string, digest: Digest): StageInput => ({ kind: 'external', type, digest });
const dataInput = (digest: Digest): StageInput => externalInput('Dataset/1', digest);

const changedModel = (stage: string): UserError =>
  userError(`stage ${stage}`, 'model-changed', 'the model file changed while the run began', 'run the pipeline again');

interface OpenData {
  readonly identity: DatasetIdentity;
  readonly load: () => Promise<Dataset>;
  readonly close: () => void;
}

/**
 * Knows a data set before it is decoded, if it was decoded before.
 *
 * @returns `load` reads and decodes it once, when a stage first asks
 */
async function openData(
  source: DataSource,
  validation: ValidationOptions,
  code: Digest,
  identities: IdentityMemory,
  options: LoadOptions,
): Promise<OpenData> {
  let loaded: IdentifiedData | null = null;
  const { files, close } = await openFiles(source, options);
  let recipe: Digest;
  let identity: DatasetIdentity;
  try {
    recipe = recipeDigest(source, validation, files, code);
    identity = await identities(recipe, async () => {
      const open = () => Promise.resolve({ files, close: () => undefined });
      loaded = await loadIdentified(source, validation, recipe, open, options);
      return loaded.identity;
    });
  } finally {
    close();
  }
  const load = async (): Promise<Dataset> => {
    loaded ??= await loadIdentified(source, validation, recipe, () => openFiles(source, options), options);
    if (isDeepStrictEqual(loaded.identity, identity)) return loaded.dataset;
    const [first] = sourceFiles(source);
    const message = 'the data are not those that the run began with';
    throw userError(first?.path ?? identity.name, 'data-changed', message, 'run the pipeline again');
  };
  const closeData = (): void => {
    if (loaded !== null) closeExamples(loaded.dataset);
  };
  return { identity, load, close: closeData };
}

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
