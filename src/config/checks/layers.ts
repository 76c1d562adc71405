/** Layers that do not go together. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { Task } from '../../measurements/metrics.ts';
import type { Layer } from '../../models/layers.ts';
import { namedLayers } from '../../models/layers.ts';
import { tasks } from '../../tasks/index.ts';
import type { PipelineConfig } from '../schema.ts';
import { outputDiagnostics } from './outputs.ts';
import type { Locate } from '../source.ts';
import { didYouMean } from '../suggest.ts';

export function layerDiagnostics({ model }: PipelineConfig, locate: Locate): Diagnostic[] {
  if (model === undefined || !('layers' in model)) return [];
  const { layers, task, outputs = {} } = model;
  const names = layers.map(({ name }) => name);
  const last = names.length - 1;
  const taken = layers.flatMap((layer, index) => [
    ...(layer.input === undefined && index > 0 ? [layers[index - 1]?.name] : []),
    ...namedLayers(layer).map(([, name]) => name),
  ]);
  const hasOutputs = model.outputs !== undefined;
  const isOutput = (name: string): boolean => Object.hasOwn(outputs, name);
  const ofLayers = layers.flatMap((layer, index) => {
    const path = (...fields: readonly string[]) => ['model', 'layers', String(index), ...fields];
    const earlier = layers.slice(0, index).map(({ name }) => name);
    return [
      ...nameDiagnostics(layer, earlier, path, locate),
      ...fieldDiagnostics(layer, path, locate),
      ...(taken.includes(layer.name) || isOutput(layer.name)
        ? []
        : hasOutputs && index === last
          ? [unreadEnd(path, locate)]
          : unreadDiagnostics(layers[index + 1], path, locate)),
      ...softmaxDiagnostics(
        layer,
        {
          isLast: hasOutputs ? isOutput(layer.name) : index === last,
          task: hasOutputs ? (outputs[layer.name]?.task ?? 'classify') : task,
        },
        path,
        locate,
      ),
    ];
  });
  return [...ofLayers, ...outputDiagnostics(model, locate)];
}

type PathOf = (...fields: readonly string[]) => string[];

/** Names that two layers have, or none. */
function nameDiagnostics(layer: Layer, earlier: readonly string[], path: PathOf, locate: Locate): Diagnostic[] {
  const unknown = namedLayers(layer).filter(([, other]) => !earlier.includes(other));
  return [
    ...(earlier.includes(layer.name)
      ? [
          {
            code: 'duplicate-layer',
            place: locate(path('name'), 'value'),
            message: `an earlier layer is also named \`${layer.name}\``,
            hint: 'give each layer a different name, or leave the names out',
          },
        ]
      : []),
    ...unknown.map(([fields, other]) => ({
      code: 'unknown-layer',
      place: locate(path(...fields), 'value'),
      message: `\`${path(...fields).join('.')}\` is \`${other}\`, but no earlier layer has that name`,
      hint: earlier.length === 0 ? 'the first layer reads the image' : didYouMean(other, earlier),
    })),
  ];
}

/** Fields of one layer that do not go together. */
function fieldDiagnostics(layer: Layer, path: PathOf, locate: Locate): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const activation = layer.kind === 'activation' ? layer.function : 'activation' in layer ? layer.activation : null;
  if ('alpha' in layer && activation !== 'leaky_relu' && activation !== 'prelu') {
    diagnostics.push({
      code: 'unused-alpha',
      place: locate(path('alpha'), 'key'),
      message: `\`alpha\` is the slope of leaky_relu or prelu, but the activation here is ${activation ?? 'none'}`,
      hint: 'remove it, or choose leaky_relu or prelu',
    });
  }
  const isResize = layer.kind === 'resize_bilinear' || layer.kind === 'resize_nearest_neighbor';
  if (isResize && 'size' in layer === 'factor' in layer) {
    diagnostics.push({
      code: 'resize-size',
      place: locate(path('kind'), 'value'),
      message: `${layer.kind} has ${'size' in layer ? 'both `size` and `factor`' : 'neither `size` nor `factor`'}; expected one of them`,
      hint: 'for example `factor: 2`',
    });
  }
  return diagnostics;
}

/** @param next the layer behind one that no name mentions */
function unreadDiagnostics(next: Layer | undefined, path: PathOf, locate: Locate): Diagnostic[] {
  if (next?.input === undefined) return [];
  return [
    {
      code: 'unread-layer',
      place: locate(path('kind'), 'value'),
      message: `nothing reads the output of this layer: the next one reads \`${next.input}\``,
      hint: 'remove it, or name it in `with` or `input` of a later layer',
    },
  ];
}

function unreadEnd(path: PathOf, locate: Locate): Diagnostic {
  return {
    code: 'unread-layer',
    place: locate(path('kind'), 'value'),
    message: 'nothing reads the output of this layer, and `model.outputs` does not name it',
    hint: 'remove it, or name it in `model.outputs`',
  };
}

function softmaxDiagnostics(
  layer: Layer,
  { isLast, task }: { readonly isLast: boolean; readonly task: Task },
  path: PathOf,
  locate: Locate,
): Diagnostic[] {
  if (layer.kind !== 'softmax') return [];
  const place = locate(path('kind'), 'value');
  const diagnostics: Diagnostic[] = [];
  if (!isLast) {
    diagnostics.push({
      code: 'softmax-not-last',
      place,
      message: 'softmax can only be the last layer',
      hint: 'move it to the end, or leave it out: training works on the scores before it',
    });
  }
  if (tasks[task].last !== 'softmax') {
    diagnostics.push({
      code: 'softmax-reconstructs',
      place,
      message: `softmax gives probabilities of classes; this network ${tasks[task].does}`,
      hint: 'leave it out',
    });
  }
  return diagnostics;
}
