/** Fields of stages that do not go together, or with the network and the machine. */
import { internal } from '../../core/assert.ts';
import type { Diagnostic, Place } from '../../core/diagnostic.ts';
import { dataSettings } from '../../data/config.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Graph } from '../../graph/graph.ts';
import { producers } from '../../graph/graph.ts';
import type { ModelSpec } from '../../models/layers.ts';
import { takesBatchNorm } from '../../models/standing-alone.ts';
import { tasksWithGate } from '../../tasks/gates.ts';
import { tasks } from '../../tasks/index.ts';
import type { StageConfig } from '../../stages/index.ts';
import { stages as definitions } from '../../stages/index.ts';
import type { Task } from '../../measurements/metrics.ts';
import type { TaskRow } from '../../tasks/define.ts';
import { tasksOf } from '../task.ts';
import { didYouMean } from '../suggest.ts';
import type { ResolvedPipeline } from '../resolve.ts';
import { parentOf, stageNamed, trainedScheme } from '../resolve.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate } from '../source.ts';

export function stageDiagnostics(
  config: PipelineConfig,
  name: string,
  stage: StageConfig,
  locate: Locate,
): Diagnostic[] {
  switch (stage.uses) {
    case 'float-pretrain':
      return trainingDiagnostics(config, name, stage, locate);
    case 'qat':
      return [...trainingDiagnostics(config, name, stage, locate), ...freezingDiagnostics(name, stage, locate)];
    case 'convert':
      return otherScheme(config, name, stage, locate);
    case 'test':
      return gateDiagnostics(config, name, stage, locate);
    default:
      return [];
  }
}

type ConfigOf<Kind extends StageConfig['uses']> = Extract<StageConfig, { readonly uses: Kind }>;

/** A batch that the devices cannot share, and choices by validation without validation images. */
function trainingDiagnostics(
  config: PipelineConfig,
  name: string,
  { batch, devices, keep, early_stopping }: ConfigOf<'float-pretrain' | 'qat'>,
  locate: Locate,
): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  if (batch % devices.length !== 0) {
    const below = batch - (batch % devices.length);
    diagnostics.push({
      code: 'uneven-batch',
      place: locate(['stages', name, 'batch'], 'value'),
      message: `\`stages.${name}.batch\` is ${batch}; expected a multiple of ${devices.length}, the number of devices`,
      hint: `for example ${below > 0 ? below : devices.length}`,
    });
  }
  if (dataSettings(config.data).validation !== 0) return diagnostics;
  const needsValidation = (place: Place, what: string): Diagnostic => ({
    code: 'no-validation',
    place,
    message: `${what} needs validation images, but \`data.validation\` is 0`,
    hint: 'set `data.validation` to a number of images',
  });
  if (keep === 'best') {
    diagnostics.push(needsValidation(locate(['stages', name, 'keep'], 'value'), `\`stages.${name}.keep: best\``));
  }
  if (early_stopping !== undefined) {
    const place = locate(['stages', name, 'early_stopping'], 'key');
    diagnostics.push(needsValidation(place, `\`stages.${name}.early_stopping\``));
  }
  return diagnostics;
}

/** Statistics of batch norm that are frozen where they are not part of the weights, or are estimated again. */
function freezingDiagnostics(name: string, stage: ConfigOf<'qat'>, locate: Locate): Diagnostic[] {
  if (stage.freeze_bn_delay === undefined) return [];
  const diagnostics: Diagnostic[] = [];
  if (stage.batch_norm === 'kept') {
    diagnostics.push({
      code: 'freeze-without-folding',
      place: locate(['stages', name, 'freeze_bn_delay'], 'key'),
      message: `\`stages.${name}.freeze_bn_delay\` needs \`batch_norm: folded\`, but batch norm is kept`,
      hint: 'add `batch_norm: folded`, or use `reestimate_batch_norm`',
    });
  }
  if (stage.reestimate_batch_norm > 0) {
    diagnostics.push({
      code: 'frozen-and-reestimated',
      place: locate(['stages', name, 'reestimate_batch_norm'], 'value'),
      message: `\`stages.${name}\` both freezes the statistics of batch norm and re-estimates them after training`,
      hint: 'remove `freeze_bn_delay` or `reestimate_batch_norm`',
    });
  }
  return diagnostics;
}

function otherScheme(config: PipelineConfig, name: string, stage: ConfigOf<'convert'>, locate: Locate): Diagnostic[] {
  const trained = trainedScheme(config.stages, stage);
  if (stage.scheme === trained) return [];
  return [
    {
      code: 'other-scheme',
      place: locate(['stages', name, 'scheme'], 'value'),
      message: `\`stages.${name}.scheme\` is ${stage.scheme}, but the weights are trained for ${trained}`,
      hint: `leave it out, or set \`scheme: ${stage.scheme}\` in the qat stage`,
    },
  ];
}

type TestConfig = ConfigOf<'test'>;

function gateDiagnostics(config: PipelineConfig, name: string, stage: TestConfig, locate: Locate): Diagnostic[] {
  const all = limitDiagnostics(config, name, stage, {
    of: tasksOf(config),
    path: ['gates'],
    limits: stage.gates,
    locate,
  });
  const { model } = config;
  const outputs = model !== undefined && 'layers' in model ? (model.outputs ?? {}) : {};
  const ofOutputs = Object.entries(stage.output_gates ?? {}).flatMap(([output, limits]) => {
    const found = Object.hasOwn(outputs, output) ? outputs[output] : undefined;
    const path = ['output_gates', output];
    if (found !== undefined) return limitDiagnostics(config, name, stage, { of: [found.task], path, limits, locate });
    const known = Object.keys(outputs);
    return [
      {
        code: 'unknown-output',
        place: locate(['stages', name, ...path], 'key'),
        message: `\`stages.${name}.output_gates\` names \`${output}\`, but \`model.outputs\` does not`,
        hint: known.length === 0 ? 'a network of one output has `gates`' : didYouMean(output, known),
      },
    ];
  });
  return [...all, ...ofOutputs];
}

interface Limits {
  /** Tasks, one of which has to have a gate. */
  readonly of: readonly Task[];
  /** From the stage. */
  readonly path: readonly string[];
  readonly limits: TestConfig['gates'];
  readonly locate: Locate;
}

function limitDiagnostics(
  config: PipelineConfig,
  name: string,
  stage: TestConfig,
  { of, path, limits, locate }: Limits,
): Diagnostic[] {
  const does = [...new Set(of)].map((task) => tasks[task].does).join(' and ');
  const gates = Object.assign({}, ...of.map((task) => tasks[task].gates)) as TaskRow['gates']; // of these
  const names = Object.keys(gates);
  const alone =
    names.find((gate) => gates[gate]?.compares === null) ?? internal(`no gate of its own for one that ${does}`);
  return Object.entries(limits).flatMap(([gate, limit]): Diagnostic[] => {
    if (limit === undefined) return [];
    const at = ['stages', name, ...path, gate];
    const place = locate(at, 'key');
    const row = gates[gate];
    if (row === undefined) {
      const others = tasksWithGate(gate).map((other) => tasks[other].does);
      return [
        {
          code: 'gate-of-other-task',
          place,
          message: `\`${at.join('.')}\` is for a network that ${others.join(' or ')}; this one ${does}`,
          hint: `use ${names.map((each) => `\`${each}\``).join(' or ')}`,
        },
      ];
    }
    if (row.compares !== 'float' || !beginsWithoutFloat(config, stage)) return [];
    return [
      {
        code: 'gate-without-float',
        place,
        message: `\`${at.join('.')}\` compares with a float model, but no stage with a float model leads here`,
        hint: `use \`${alone}\`, or start the \`qat\` stage from a \`float-pretrain\` or \`import\` stage`,
      },
    ];
  });
}

/** Whether the chain that ends in `stage` is whole and has no float model, though its first stage could have taken one. */
function beginsWithoutFloat(config: PipelineConfig, stage: StageConfig): boolean {
  // Cycles and unknown names are reported elsewhere; here they only must end.
  const seen = new Set<StageConfig>();
  let current: StageConfig | undefined = stage;
  while (current !== undefined && !seen.has(current)) {
    const { produces, from } = definitions[current.uses];
    if (produces === 'FloatModel/2') return false;
    const parent = parentOf(current);
    if (parent === null) return from?.optional === true;
    seen.add(current);
    current = stageNamed(config.stages, parent);
  }
  return false;
}

/** Names of layers whose weights batch norm goes into: the first of all, and the first that is fully connected. */
export interface NormalizedLayers {
  readonly normalized: string | undefined;
  readonly dense: string | undefined;
}

export function normalizedOf({ layers }: Pick<ModelSpec, 'layers'>): NormalizedLayers {
  const normalized = layers.find((layer) => layer.kind === 'batch_norm' || ('batch_norm' in layer && layer.batch_norm));
  const dense = layers.find((layer) => layer.kind === 'fully_connected' && takesBatchNorm(layer, layers));
  return { normalized: normalized?.name, dense: dense?.name };
}

/** The same of a network without `layers`. */
export function normalizedIn(graph: Graph): NormalizedLayers {
  const makers = producers(graph);
  const before = graph.nodes.flatMap(({ op, inputs }) => (op === 'batch_norm' ? [makers.get(inputs[0] ?? '')] : []));
  const dense = before.find((node) => node?.op === 'fully_connected');
  return { normalized: before[0]?.name, dense: dense?.name };
}

/** What does not fit the network: one range for a whole filter cannot absorb a factor for each channel at export. */
export function schemeDiagnostics(
  { stages }: ResolvedPipeline,
  { normalized, dense }: NormalizedLayers,
  locate: Locate,
): Diagnostic[] {
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
          `\`stages.${name}\` keeps the batch norm of \`${layer}\` separate from its weights, which have one range with ` +
          `\`${cause}\` but would need one for each channel at export`,
        hint: 'set `batch_norm: folded`',
      },
    ];
  });
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
