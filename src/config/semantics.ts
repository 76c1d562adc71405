import { internal } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import { isRecord } from '../core/schema.ts';
import { counted } from '../core/words.ts';
import type { Augmentation } from '../data/augment.ts';
import { dataSettings } from '../data/config.ts';
import type { DataSize, ImageShape } from '../data/dataset.ts';
import type { NormalizeConfig } from '../data/normalize.ts';
import { isGrid, namedChannels } from '../data/normalize.ts';
import type { Engine } from '../engine/engine.ts';
import type { Layer, ModelSpec } from '../models/layers.ts';
import { namedLayers } from '../models/layers.ts';
import { batchNormsAlone } from '../models/standing-alone.ts';
import { modelTask } from '../models/presets.ts';
import type { ArtifactType } from '../stages/define.ts';
import { tasksWithGate } from '../tasks/gates.ts';
import { tasks } from '../tasks/index.ts';
import type { StageConfig, StageKind } from '../stages/index.ts';
import { isStageKind, stages as definitions } from '../stages/index.ts';
import { stepsPerEpoch } from '../training/steps.ts';
import type { ResolvedPipeline } from './resolve.ts';
import { parentOf, stageNamed, trainedScheme } from './resolve.ts';
import type { PipelineConfig } from './schema.ts';
import type { Locate, Path } from './source.ts';
import { didYouMean, suggestion } from './suggest.ts';
import { taskDiagnostics } from './task-fit.ts';

/** How a stage depends on another, as far as the file says. */
interface Link {
  readonly kind: StageKind;
  readonly from: string | null;
}

/**
 * Mistakes in how the stages use each other's results. Reads the plain value of the file, so that these
 * mistakes are found beside those against the schema; stages that are too broken to judge are left out.
 */
export function linkDiagnostics(value: unknown, locate: Locate): Diagnostic[] {
  const written: Readonly<Record<string, unknown>> = isRecord(value) && isRecord(value.stages) ? value.stages : {};
  const links = new Map<string, Link>();
  for (const [name, stage] of Object.entries(written)) {
    if (!isRecord(stage) || !isStageKind(stage.uses)) continue;
    const { uses: kind, from } = stage;
    if (from === undefined) links.set(name, { kind, from: null });
    else if (typeof from === 'string') links.set(name, { kind, from });
  }
  const giving = (accepted: readonly ArtifactType[]) =>
    [...links].filter(([, { kind }]) => accepted.includes(definitions[kind].produces)).map(([name]) => name);
  const remedy = (accepted: readonly ArtifactType[], own: string): string => {
    const names = giving(accepted).filter((name) => name !== own);
    if (names.length > 0) return names.map((name) => `\`from: ${name}\``).join(' or ');
    const kinds = Object.values(definitions).filter(({ produces }) => accepted.includes(produces));
    return `add a stage with ${kinds.map(({ kind }) => `\`uses: ${kind}\``).join(' or ')} and name it here`;
  };

  const nearName = (from: string, own: string): string | null => {
    const meant = suggestion(
      from,
      Object.keys(written).filter((name) => name !== own),
    );
    return meant === null ? null : `did you mean \`${meant}\`?`;
  };

  const cycles = findCycles(links);
  const inCycle = new Set(cycles.flat());
  const diagnostics = cycles.map((cycle): Diagnostic => {
    const [first = ''] = cycle;
    return {
      code: 'stage-cycle',
      place: locate(['stages', first, 'from'], 'value'),
      message: `these stages depend on each other in a cycle: ${[...cycle, first].map((name) => `\`${name}\``).join(' from ')}`,
      hint: `\`from\` must lead back to a stage that has no \`from\``,
    };
  });
  for (const [name, { kind, from }] of links) {
    const rule = definitions[kind].from;
    if (rule === null || inCycle.has(name)) continue;
    const path = ['stages', name, 'from'];
    const takes = `${kind} takes ${rule.accepts.join(' or ')}`;
    if (from === null) {
      if (rule.optional) continue;
      diagnostics.push({
        code: 'missing-key',
        place: locate(path, 'key'),
        message: `\`stages.${name}\` needs the key \`from\`; ${takes}`,
        hint: remedy(rule.accepts, name),
      });
    } else if (!Object.hasOwn(written, from)) {
      diagnostics.push({
        code: 'unknown-stage',
        place: locate(path, 'value'),
        message: `\`stages.${name}.from\` is \`${from}\`, but there is no such stage`,
        hint: nearName(from, name) ?? remedy(rule.accepts, name),
      });
    } else {
      const parent = links.get(from);
      if (parent === undefined || rule.accepts.includes(definitions[parent.kind].produces)) continue;
      diagnostics.push({
        code: 'wrong-input',
        place: locate(path, 'value'),
        message: `\`stages.${name}.from\` is \`${from}\`, which gives ${definitions[parent.kind].produces}; ${takes}`,
        hint: remedy(rule.accepts, name),
      });
    }
  }
  return diagnostics;
}

/** Every stage has at most one parent, so each cycle is found by following parents until a name comes again. */
function findCycles(links: ReadonlyMap<string, Link>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  for (const start of links.keys()) {
    const trail: string[] = [];
    let name: string | null = start;
    while (name !== null && !done.has(name)) {
      done.add(name);
      trail.push(name);
      name = links.get(name)?.from ?? null;
    }
    const first = name === null ? -1 : trail.indexOf(name);
    if (first >= 0) cycles.push(trail.slice(first));
  }
  return cycles;
}

/** Mistakes that the schema does not catch, as far as they can be known without the data. */
export function semanticDiagnostics(config: PipelineConfig, locate: Locate): Diagnostic[] {
  return [
    ...layerDiagnostics(config, locate),
    ...taskDiagnostics(config, locate),
    ...groupDiagnostics(config, locate),
    ...normalizeDiagnostics(config, locate),
    ...Object.entries(config.stages).flatMap(([name, stage]) => stageDiagnostics(config, name, stage, locate)),
  ];
}

function layerDiagnostics({ model }: PipelineConfig, locate: Locate): Diagnostic[] {
  if (!('layers' in model)) return [];
  const diagnostics: Diagnostic[] = [];
  const earlier: string[] = [];
  const taken = model.layers.flatMap((layer, index) => [
    ...(layer.input === undefined && index > 0 ? [model.layers[index - 1]?.name] : []),
    ...namedLayers(layer).map(([, name]) => name),
  ]);
  const takers = (name: string): number => taken.filter((other) => other === name).length;
  for (const [index, layer] of model.layers.entries()) {
    const path = (...fields: readonly string[]) => ['model', 'layers', String(index), ...fields];
    if (earlier.includes(layer.name)) {
      diagnostics.push({
        code: 'duplicate-layer',
        place: locate(path('name'), 'value'),
        message: `an earlier layer is also named \`${layer.name}\``,
        hint: 'give each layer a different name, or leave the names out',
      });
    }
    for (const [fields, other] of namedLayers(layer)) {
      if (earlier.includes(other)) continue;
      diagnostics.push({
        code: 'unknown-layer',
        place: locate(path(...fields), 'value'),
        message: `\`${path(...fields).join('.')}\` is \`${other}\`, but no earlier layer has that name`,
        hint: earlier.length === 0 ? 'the first layer reads the image' : didYouMean(other, earlier),
      });
    }
    const activation = layer.kind === 'activation' ? layer.function : 'activation' in layer ? layer.activation : null;
    if ('alpha' in layer && activation !== 'leaky_relu' && activation !== 'prelu') {
      diagnostics.push({
        code: 'unused-alpha',
        place: locate(path('alpha'), 'key'),
        message: `\`alpha\` is the slope of leaky_relu or prelu, but the activation here is ${activation ?? 'none'}`,
        hint: 'remove it, or choose leaky_relu or prelu',
      });
    }
    if (
      (layer.kind === 'resize_bilinear' || layer.kind === 'resize_nearest_neighbor') &&
      'size' in layer === 'factor' in layer
    ) {
      diagnostics.push({
        code: 'resize-size',
        place: locate(path('kind'), 'value'),
        message: `${layer.kind} has ${'size' in layer ? 'both `size` and `factor`' : 'neither `size` nor `factor`'}; expected one of them`,
        hint: 'for example `factor: 2`',
      });
    }
    const next = model.layers[index + 1];
    if (next?.input !== undefined && takers(layer.name) === 0) {
      diagnostics.push({
        code: 'unread-layer',
        place: locate(path('kind'), 'value'),
        message: `nothing reads the output of this layer: the next one reads \`${next.input}\``,
        hint: 'remove it, or name it in `with` or `input` of a later layer',
      });
    }
    if (layer.kind === 'softmax' && index < model.layers.length - 1) {
      diagnostics.push({
        code: 'softmax-not-last',
        place: locate(path('kind'), 'value'),
        message: 'softmax can only be the last layer',
        hint: 'move it to the end, or leave it out: training works on the scores before it',
      });
    }
    if (layer.kind === 'softmax' && tasks[model.task].last !== 'softmax') {
      diagnostics.push({
        code: 'softmax-reconstructs',
        place: locate(path('kind'), 'value'),
        message: `softmax gives probabilities of classes; this network ${tasks[model.task].does}`,
        hint: 'leave it out',
      });
    }
    earlier.push(layer.name);
  }
  return diagnostics;
}

function stageDiagnostics(config: PipelineConfig, name: string, stage: StageConfig, locate: Locate): Diagnostic[] {
  const path = (...fields: string[]): Path => ['stages', name, ...fields];
  const diagnostics: Diagnostic[] = [];
  if (stage.uses === 'float-pretrain' || stage.uses === 'qat') {
    const { batch, devices, keep, early_stopping } = stage;
    if (batch % devices.length !== 0) {
      const below = batch - (batch % devices.length);
      diagnostics.push({
        code: 'uneven-batch',
        place: locate(path('batch'), 'value'),
        message: `\`stages.${name}.batch\` is ${batch}; expected a multiple of ${devices.length}, the number of devices`,
        hint: `for example ${below > 0 ? below : devices.length}`,
      });
    }
    const needsValidation = (field: string, part: 'key' | 'value', what: string): Diagnostic => ({
      code: 'no-validation',
      place: locate(path(field), part),
      message: `${what} needs validation images, but \`data.validation\` is 0`,
      hint: 'set `data.validation` to a number of images',
    });
    if (dataSettings(config.data).validation === 0) {
      if (keep === 'best') diagnostics.push(needsValidation('keep', 'value', `\`stages.${name}.keep: best\``));
      if (early_stopping !== undefined) {
        diagnostics.push(needsValidation('early_stopping', 'key', `\`stages.${name}.early_stopping\``));
      }
    }
  }
  if (stage.uses === 'qat') {
    const { freeze_bn_delay: freezeDelay, batch_norm: batchNorm } = stage;
    if (freezeDelay !== undefined && batchNorm === 'kept') {
      diagnostics.push({
        code: 'freeze-without-folding',
        place: locate(path('freeze_bn_delay'), 'key'),
        message: `\`stages.${name}.freeze_bn_delay\` needs \`batch_norm: folded\`, but batch norm is kept`,
        hint: 'add `batch_norm: folded`, or use `reestimate_batch_norm`',
      });
    }
    if (freezeDelay !== undefined && stage.reestimate_batch_norm > 0) {
      diagnostics.push({
        code: 'frozen-and-reestimated',
        place: locate(path('reestimate_batch_norm'), 'value'),
        message: `\`stages.${name}\` both freezes the statistics of batch norm and re-estimates them after training`,
        hint: 'remove `freeze_bn_delay` or `reestimate_batch_norm`',
      });
    }
  }
  if (stage.uses === 'convert') {
    const trained = trainedScheme(config.stages, stage);
    if (stage.scheme !== trained) {
      diagnostics.push({
        code: 'other-scheme',
        place: locate(path('scheme'), 'value'),
        message: `\`stages.${name}.scheme\` is ${stage.scheme}, but the weights are trained for ${trained}`,
        hint: `leave it out, or set \`scheme: ${stage.scheme}\` in the qat stage`,
      });
    }
  }
  if (stage.uses === 'test') diagnostics.push(...gateDiagnostics(config, name, stage, locate));
  return diagnostics;
}

type TestConfig = Extract<StageConfig, { readonly uses: 'test' }>;

function gateDiagnostics(config: PipelineConfig, name: string, stage: TestConfig, locate: Locate): Diagnostic[] {
  const task = modelTask(config.model);
  const { does, gates } = tasks[task];
  const names = Object.keys(gates);
  const alone =
    names.find((gate) => gates[gate]?.compares === null) ?? internal(`no gate of its own for one that ${does}`);
  return Object.entries(stage.gates).flatMap(([gate, limit]): Diagnostic[] => {
    if (limit === undefined) return [];
    const place = locate(['stages', name, 'gates', gate], 'key');
    const row = gates[gate];
    if (row === undefined) {
      const others = tasksWithGate(gate).map((other) => tasks[other].does);
      return [
        {
          code: 'gate-of-other-task',
          place,
          message: `\`stages.${name}.gates.${gate}\` is for a network that ${others.join(' or ')}; this one ${does}`,
          hint: `use ${names.map((each) => `\`${each}\``).join(' or ')}`,
        },
      ];
    }
    if (row.compares !== 'float' || !beginsWithoutFloat(config, stage)) return [];
    return [
      {
        code: 'gate-without-float',
        place,
        message: `\`stages.${name}.gates.${gate}\` compares with a float model, but no float-pretrain stage leads here`,
        hint: `use \`${alone}\`, or start the \`qat\` stage from a \`float-pretrain\` stage`,
      },
    ];
  });
}

/** Whether the chain that ends in `stage` is whole and begins with a stage that could have taken a float model. */
function beginsWithoutFloat(config: PipelineConfig, stage: StageConfig): boolean {
  // Cycles and unknown names are reported elsewhere; here they only must end.
  const seen = new Set<StageConfig>();
  let current: StageConfig | undefined = stage;
  while (current !== undefined && !seen.has(current)) {
    const parent = parentOf(current);
    if (parent === null) return definitions[current.uses].from?.optional === true;
    seen.add(current);
    current = stageNamed(config.stages, parent);
  }
  return false;
}

/**
 * What does not fit the data, known once they are loaded.
 *
 * @param size `trainingImages` before those for validation are taken out
 */
export function sizeDiagnostics(
  pipeline: ResolvedPipeline,
  locate: Locate,
  size: Size & Pick<DataSize, 'reals'> & { readonly image: ImageShape },
): Diagnostic[] {
  const { image, reals } = size;
  return [
    ...(reals === undefined
      ? [
          ...cropDiagnostics(pipeline, locate, image),
          ...channelDiagnostics(pipeline, locate, image),
          ...seriesDiagnostics(pipeline, locate),
        ]
      : pixelDiagnostics(pipeline, locate)),
    ...countDiagnostics(pipeline, locate, size),
    ...testDiagnostics(pipeline, locate, size),
  ];
}

/** A test stage that would test nothing. */
function testDiagnostics({ stages }: ResolvedPipeline, locate: Locate, { testImages }: Size): Diagnostic[] {
  if (testImages !== 0 || stages.every(({ config }) => config.uses !== 'test')) return [];
  return [
    {
      code: 'no-test-examples',
      place: locate(['data', 'split', 'test'], 'value'),
      message: 'no example is for testing, and the pipeline has a `test` stage',
      hint: 'set `data.split.test` to a fraction such as 0.2, or add test examples',
    },
  ];
}

/** A group that is no regular expression, or has none that gives a text. */
function groupDiagnostics({ data }: PipelineConfig, locate: Locate): Diagnostic[] {
  const group = 'split' in data && 'group' in data.split ? data.split.group : undefined;
  if (group === undefined) return [];
  const found = groupsIn(group);
  if (found > 0) return [];
  return [
    {
      code: 'bad-group',
      place: locate(['data', 'split', 'group'], 'value'),
      message: `\`data.split.group\` is ${JSON.stringify(group)}; expected a regular expression with a group in parentheses`,
      hint: "for example '_([a-z]+)_', for the name between two underscores",
    },
  ];
}

/** 0 for what is no regular expression. */
function groupsIn(pattern: string): number {
  try {
    // An alternative that always fits shows all groups.
    return (new RegExp(`${pattern}|`, 'u').exec('')?.length ?? 1) - 1;
  } catch {
    return 0;
  }
}

/** Words of `normalize` that contradict each other, or are in another unit. */
function normalizeDiagnostics({ data }: PipelineConfig, locate: Locate): Diagnostic[] {
  const { normalize } = dataSettings(data);
  if (normalize === null || typeof normalize === 'string') return [];
  const wrong = (field: string, message: string, hint: string): Diagnostic[] => [
    { code: 'bad-normalize', place: locate(['data', 'normalize', field], 'key'), message, hint },
  ];
  if (isGrid(normalize)) {
    const { mean, scale } = normalize;
    if (Number.isInteger(mean)) return [];
    return wrong(
      'mean',
      `\`data.normalize.mean\` is ${JSON.stringify(mean)}; beside \`scale\` it is one whole number, the zero point of the input`,
      `write \`std: ${sixDigits(1 / scale)}\` in place of \`scale\`: real = (pixel - mean) / std`,
    );
  }
  const { mean, std, scale } = normalize;
  if (scale !== undefined) {
    return wrong('scale', '`data.normalize` has both `std` and `scale`; expected one of the two', 'remove `scale`');
  }
  if (mean.length !== std.length && mean.length > 1 && std.length > 1) {
    const message = `\`data.normalize\` has ${mean.length} means and ${std.length} deviations; expected as many`;
    return wrong('std', message, 'give one for each channel, or one for all');
  }
  if (Math.max(...std) > 1 || Math.max(...mean) > 1) return [];
  const inPixels = (values: readonly number[]): string => values.map((value) => sixDigits(255 * value)).join(', ');
  return wrong(
    'std',
    '`data.normalize` has means and deviations between 0 and 1; pixels are 0 to 255',
    `write \`mean: [${inPixels(mean)}], std: [${inPixels(std)}]\``,
  );
}

const sixDigits = (value: number): string => String(Number(value.toPrecision(6)));

/** A mean or deviation for each channel, of which the images have others. */
function channelDiagnostics({ data }: ResolvedPipeline, locate: Locate, { channels }: ImageShape): Diagnostic[] {
  const { normalize } = dataSettings(data);
  const named = normalize === null ? null : namedChannels(normalize);
  if (named === null || named === channels) return [];
  return [
    {
      code: 'wrong-channels',
      place: locate(['data', 'normalize'], 'key'),
      message: `\`data.normalize\` is for ${counted(named, 'channel')}; the images have ${channels}`,
      hint:
        channels === 1
          ? 'write one number for `mean` and one for `std`, or `auto`'
          : 'give one for each channel, or `auto`',
    },
  ];
}

/** Settings that only pixels have, where the inputs are real values. */
function pixelDiagnostics({ data }: ResolvedPipeline, locate: Locate): Diagnostic[] {
  const { augment, normalize } = dataSettings(data);
  const written = [
    ...imageChanges(augment).map((field) => ['augment', field]),
    // Left out it is there with its defaults; and real values are measured as `auto` asks.
    ...(normalize === null || normalize === 'auto' || isDefaultGrid(normalize) ? [] : [['normalize']]),
  ];
  return written.map((path) => ({
    code: 'not-pixels',
    place: locate(['data', ...path], 'key'),
    message: `\`data.${path.join('.')}\` is for pixels, but the inputs of this data set are real values`,
    hint: 'leave it out: real values are standardized; or store images as uint8',
  }));
}

const isDefaultGrid = (normalize: NormalizeConfig): boolean =>
  isGrid(normalize) && normalize.scale === 1 / 255 && normalize.mean === 0;

/** Changes to pictures that are on. */
function imageChanges(augment: Augmentation): string[] {
  if (!('crop' in augment)) return [];
  const { crop, flip, rotation, translation, zoom, brightness, contrast, cutout } = augment;
  const all = { crop, flip, rotation, translation, zoom, brightness, contrast, cutout };
  return Object.entries(all).flatMap(([name, value]) => (value === undefined || Number(value) === 0 ? [] : [name]));
}

/** Changes to series, where the inputs are pixels. */
function seriesDiagnostics({ data }: ResolvedPipeline, locate: Locate): Diagnostic[] {
  const { augment } = dataSettings(data);
  if (!('jitter' in augment)) return [];
  const { shift, scale, jitter } = augment;
  return Object.entries({ shift, scale, jitter }).flatMap(([name, value]): Diagnostic[] =>
    value === 0
      ? []
      : [
          {
            code: 'not-series',
            place: locate(['data', 'augment', name], 'key'),
            message: `\`data.augment.${name}\` is for real values, but the inputs of this data set are pixels`,
            hint: 'for pixels there are `translation`, `zoom`, `brightness` and others',
          },
        ],
  );
}

type Size = Pick<DataSize, 'trainingImages' | 'validationImages' | 'testImages'>;

/** How many training examples are set aside. */
export function validationImages({ data }: Pick<ResolvedPipeline, 'data'>, size: Size): number {
  return dataSettings(data).validation ?? size.validationImages ?? 0;
}

function cropDiagnostics(
  { data }: ResolvedPipeline,
  locate: Locate,
  { height, width }: Pick<ImageShape, 'height' | 'width'>,
): Diagnostic[] {
  const { augment } = dataSettings(data);
  const crop = 'crop' in augment ? augment.crop : 0;
  const smallest = Math.min(height, width);
  if (crop < smallest) return [];
  return [
    {
      code: 'crop-too-large',
      place: locate(['data', 'augment', 'crop'], 'value'),
      message: `\`data.augment.crop\` is ${crop}, but the images are ${height}x${width}; a crop could miss the image`,
      hint: `a few pixels, at most ${smallest - 1}; 4 is usual for images of 32x32`,
    },
  ];
}

function countDiagnostics(pipeline: ResolvedPipeline, locate: Locate, size: Size): Diagnostic[] {
  const { trainingImages } = size;
  const validation = validationImages(pipeline, size);
  if (validation >= trainingImages) {
    return [
      {
        code: 'validation-too-large',
        place: locate(['data', 'validation'], 'value'),
        message: `\`data.validation\` is ${validation}, but the training split has ${counted(trainingImages, 'image')}`,
        hint: 'leave most of the images for training',
      },
    ];
  }
  const images = trainingImages - validation;
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'float-pretrain' && config.uses !== 'qat') return [];
    const { batch, epochs } = config;
    const perEpoch = stepsPerEpoch(images, batch);
    if (perEpoch === 0) {
      return [
        {
          code: 'batch-too-large',
          place: locate(['stages', name, 'batch'], 'value'),
          message: `\`stages.${name}.batch\` is ${batch}, but there ${images === 1 ? 'is' : 'are'} ${counted(images, 'image')} to train on`,
          hint: `a batch of at most ${images}`,
        },
      ];
    }
    const steps = epochs * perEpoch;
    if (config.uses !== 'qat') return [];
    return Object.entries({ delay: 'quantized', freeze_bn_delay: 'frozen' } as const).flatMap(([field, done]) => {
      const delay = config[field as 'delay' | 'freeze_bn_delay'] ?? 0; // the keys of the object above
      if (delay < steps) return [];
      return [
        {
          code: 'delay-too-long',
          place: locate(['stages', name, field], 'value'),
          message:
            `\`stages.${name}.${field}\` is ${delay} steps, but the training ends after ${steps} ` +
            `(epochs ${epochs}, ${perEpoch} steps each); nothing would be ${done}`,
          hint: `a delay below ${steps}, or more epochs`,
        },
      ];
    });
  });
}

/** What does not fit the network: one range for a whole filter cannot absorb a factor for each channel at export. */
export function schemeDiagnostics({ stages }: ResolvedPipeline, { layers }: ModelSpec, locate: Locate): Diagnostic[] {
  const normalized = layers.find((layer) => layer.kind === 'batch_norm' || ('batch_norm' in layer && layer.batch_norm));
  const dense = layers.find((layer) => layer.kind === 'fully_connected' && isNormalized(layer, layers));
  return stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat' || config.batch_norm !== 'kept') return [];
    const isUint8 = config.scheme === 'uint8';
    const layer = isUint8 ? normalized : config.dense_weights === 'per_tensor' ? dense : undefined;
    if (layer === undefined) return [];
    const cause = isUint8 ? 'scheme: uint8' : 'dense_weights: per_tensor';
    return [
      {
        code: 'batch-norm-kept',
        place: locate(['stages', name, isUint8 ? 'batch_norm' : 'dense_weights'], 'value'),
        message:
          `\`stages.${name}\` keeps the batch norm of \`${layer.name}\` separate from its weights, which have one range with ` +
          `\`${cause}\` but would need one for each channel at export`,
        hint: 'set `batch_norm: folded`',
      },
    ];
  });
}

/** Whether a layer takes batch norm into its weights, its own or that of the next layer. */
function isNormalized(layer: Layer, layers: readonly Layer[]): boolean {
  if ('batch_norm' in layer && layer.batch_norm) return true;
  const alone = batchNormsAlone(layers);
  return layers.some(
    (other, at) =>
      other.kind === 'batch_norm' && !alone.has(other.name) && (other.input ?? layers[at - 1]?.name) === layer.name,
  );
}

/** Devices that the engine of their stage does not have. */
export async function deviceDiagnostics(
  pipeline: ResolvedPipeline,
  locate: Locate,
  engineFor: (config: StageConfig) => Pick<Engine, 'name' | 'gpus'>,
): Promise<Diagnostic[]> {
  const diagnostics: Diagnostic[] = [];
  for (const { name, config } of pipeline.stages) {
    if (!('devices' in config) || config.devices.every(({ kind }) => kind === 'cpu')) continue;
    const engine = engineFor(config);
    const gpus = await engine.gpus();
    const present = ['`cpu:0` and on', ...Array.from({ length: gpus }, (_, index) => `\`gpu:${index}\``)].join(', ');
    for (const [position, { kind, index }] of config.devices.entries()) {
      if (kind === 'cpu' || index < gpus) continue;
      const path = ['stages', name, 'devices', String(position)];
      diagnostics.push({
        code: 'unknown-device',
        place: locate(path, 'value'),
        message: `\`${path.join('.')}\` is \`gpu:${index}\`; engine \`${engine.name}\` has ${present}`,
        hint: engine.name === 'tensorflow' ? 'use one of these' : 'GPUs need `engine: tensorflow`',
      });
    }
  }
  return diagnostics;
}

/** What is allowed but seldom meant. */
export function warnings(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return [
    ...coldRanges(pipeline, locate),
    ...unusedRangeFields(pipeline, locate),
    ...unusualOptimizers(pipeline, locate),
  ];
}

/** Beyond these, published trainings do not go; weights are destroyed within a few steps. */
const usual = {
  learning_rate: { sgd: 10, adam: 0.1 },
  weight_decay: { sgd: 0.5, adam: 0.5 },
} as const;

function unusualOptimizers(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (!('optimizer' in config)) return [];
    const { optimizer } = config;
    return (['learning_rate', 'weight_decay'] as const).flatMap((field): Diagnostic[] => {
      const limit = usual[field][optimizer.kind];
      if (optimizer[field] <= limit) return [];
      return [
        {
          code: 'unusual-value',
          place: locate(['stages', name, 'optimizer', field], 'value'),
          message: `\`stages.${name}.optimizer.${field}\` is ${optimizer[field]}; with ${optimizer.kind}, values above ${limit} destroy the weights`,
          hint: `a ${field} of at most ${limit}`,
        },
      ];
    });
  });
}

function coldRanges(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat' || config.ranges !== 'moving_average' || config.ema_decay === undefined) return [];
    const fromScratch = config.from === undefined;
    // After five time constants, the initial value has less than 1 % weight in an average; random weights need that.
    const warmUp = Math.round((fromScratch ? 5 : 1) / (1 - config.ema_decay));
    if (config.delay >= warmUp || (!fromScratch && config.delay === 0)) return [];
    return [
      {
        code: 'short-delay',
        place: locate(['stages', name, 'delay'], 'value'),
        message:
          `\`stages.${name}\` ${fromScratch ? 'trains from scratch and quantizes' : 'quantizes'} from step ` +
          `${config.delay} on, but with ema_decay ${config.ema_decay} the ranges need about ${warmUp} steps to become stable`,
        hint: `a delay of ${warmUp}, a smaller ema_decay${fromScratch ? ', or `from:` a float model' : ''}`,
      },
    ];
  });
}

/** Each kind of estimate has a field of its own, and reads no other. */
function unusedRangeFields(pipeline: ResolvedPipeline, locate: Locate): Diagnostic[] {
  const owners = { ema_decay: 'moving_average', range_window: 'running_extremes' } as const;
  return pipeline.stages.flatMap(({ name, config }): Diagnostic[] => {
    if (config.uses !== 'qat') return [];
    return (['ema_decay', 'range_window'] as const).flatMap((field): Diagnostic[] => {
      const owner = owners[field];
      if (config[field] === undefined || config.ranges === owner) return [];
      return [
        {
          code: 'unused-field',
          place: locate(['stages', name, field], 'key'),
          message: `\`stages.${name}.${field}\` has no effect: it is only for \`ranges: ${owner}\`, and this stage uses \`ranges: ${config.ranges}\``,
          hint: `remove \`${field}\`, or add \`ranges: ${owner}\``,
        },
      ];
    });
  });
}
