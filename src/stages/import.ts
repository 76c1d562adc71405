import { Type } from '@sinclair/typebox';
import { UserError } from '../core/diagnostic.ts';
import { choice, derived, key, runtime } from '../core/schema.ts';
import { numElements } from '../core/tensor.ts';
import { counted } from '../core/words.ts';
import { contractFor } from '../graph/contract.ts';
import type { Model, Purpose } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import { valueOf } from '../graph/graph.ts';
import { measuredValues, takesShape, withInput, withTargets } from '../importers/adapt.ts';
import { separateBatchNorms } from '../importers/batch-norms.ts';
import { importerNames } from '../importers/index.ts';
import { modelDigest, readModel } from '../importers/read.ts';
import type { ImportMetrics } from '../measurements/metrics.ts';
import { taskNames } from '../measurements/metrics.ts';
import { pixelNormalizer } from '../models/pixels.ts';
import { prune } from '../passes/index.ts';
import { tasks } from '../tasks/index.ts';
import { encodeModelFile } from '../training/checkpoint.ts';
import { defineStage } from './define.ts';
import type { ConfigOf } from './define.ts';
import { writeOutput } from './files.ts';

const outputs = { model: { type: 'FloatModel/2', file: 'float_model.safetensors' } } as const;

export const importModel = defineStage({
  kind: 'import',
  revision: 1,
  description: 'Takes a float model that was trained elsewhere',
  from: null,
  produces: 'FloatModel/2',
  uses: ['purpose', 'model-file'],
  inputs: {},
  outputs,
  fields: {
    file: Type.String({
      // Known by its content.
      ...runtime('Path of the model: a file, or the folder of a SavedModel; relative to the pipeline file'),
      'x-parse': 'path',
      minLength: 1,
      examples: ['resnet.h5'],
    }),
    format: Type.Optional(choice(importerNames, key('Format of the model; default: what its content says'))),
    task: derived(
      choice(taskNames, key('What the network is for, as `model.task`')),
      '`model.task`, or `classify` without a `model`',
    ),
    output: Type.Optional(Type.String(key('Name of the output to take, of a network with several'))),
    reals: choice(['measured', 'standardized'], {
      ...key(
        'What the network was trained on, for data that are real values: the values as they were `measured`, or `standardized` to mean 0 and deviation 1 by channel. Targets of a regression are taken the same way',
      ),
      default: 'measured',
    }),
  },

  async run(config, context, environment) {
    const { model, title, notes } = await importNetwork(config, environment.purpose());
    await environment.checkModelFile(await modelDigest(config.file, config.format));
    const tensors = new Map<string, never>();
    await writeOutput(context, outputs.model, encodeModelFile({ level: 'float', ...model, tensors }));
    for (const message of notes) context.emit({ kind: 'log', message });
    const { nodes } = model.graph;
    return {
      metrics: {
        ...{ kind: 'import', format: title, notes: [...notes], parameters: parametersOf(model.graph) },
        operators: nodes.map(({ op, name }) => ({ op, name, outputShape: [...valueOf(model.graph, name).type.shape] })),
      } satisfies ImportMetrics,
    };
  },
});

export type ImportConfig = ConfigOf<typeof importModel>;

function parametersOf(graph: Graph): number {
  let sum = 0;
  for (const { source, type } of graph.values.values()) {
    if (source.kind === 'variable' || source.kind === 'constant') sum += numElements(type.shape);
  }
  return sum;
}

export interface ImportedNetwork {
  readonly model: Model;
  readonly title: string;
  readonly notes: readonly string[];
}

/**
 * Reads a model file as a network for a data set.
 *
 * @throws UserError for a file that cannot be imported, and for a network that the data do not fit: with both sides
 */
export async function importNetwork(
  { file, format, output, reals }: Pick<ImportConfig, 'file' | 'format' | 'output' | 'reals'>,
  purpose: Purpose,
): Promise<ImportedNetwork> {
  const { graph: whole, classes, notes, title } = await readModel(file, format);
  const misfit = (message: string, hint: string): UserError =>
    new UserError([{ code: 'model-does-not-fit', place: { file }, message, hint }]);
  const graph = oneOutput(whole, output, misfit);
  checkInput(graph, purpose, misfit);
  const isMeasured = reals === 'measured';
  const taken = withInput(graph, purpose.image, changeOf(purpose, graph.inputs[0] ?? '', isMeasured));
  const given = outputsFor(taken, purpose, isMeasured, misfit);
  const separate = separateBatchNorms(given);
  const order = classes === null ? null : classOrder(classes, purpose.classes);
  return {
    model: { graph: separate.graph, contract: contractFor(separate.graph, purpose) },
    title,
    notes: [...notes, ...separate.notes, ...(order === null ? [] : [order])],
  };
}

type Misfit = (message: string, hint: string) => UserError;

function oneOutput(graph: Graph, wanted: string | undefined, misfit: Misfit): Graph {
  const { outputs: names } = graph;
  const listed = names.map((name) => `"${name}" [${shapeText(graph, name)}]`).join(', ');
  const [only] = names;
  if (wanted === undefined) {
    if (only !== undefined && names.length === 1) return graph;
    throw misfit(
      `the network has ${counted(names.length, 'output')}: ${listed}; expected one`,
      'name one with `output`',
    );
  }
  if (names.includes(wanted)) return names.length === 1 ? graph : prune({ ...graph, outputs: [wanted] });
  throw misfit(`the network has no output "${wanted}"; its outputs are ${listed}`, 'name one of these with `output`');
}

const shapeText = (graph: Graph, name: string): string => valueOf(graph, name).type.shape.slice(1).join(', ');

function checkInput(graph: Graph, { image }: Purpose, misfit: Misfit): void {
  const listed = graph.inputs.map((name) => `"${name}" [${shapeText(graph, name)}]`).join(', ');
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) {
    throw misfit(
      `the network takes ${counted(graph.inputs.length, 'input')} (${listed}); an example of the data is one`,
      'export a network with one input',
    );
  }
  if (takesShape(valueOf(graph, input).type.shape.slice(1), image)) return;
  throw misfit(
    `the network takes [${shapeText(graph, input)}] at "${input}"; an example of the data is [${image.join(', ')}]`,
    'change the size, the channels or the columns in `data`, or export the network for examples of this shape',
  );
}

/** What comes between the device's input and the network's; null for nothing. */
function changeOf(purpose: Purpose, input: string, isMeasured: boolean) {
  const { pixels, normalize, channels } = purpose;
  if (pixels !== undefined && 'scale' in normalize) return pixelNormalizer(pixels, normalize, input);
  return channels !== undefined && isMeasured ? measuredValues(channels) : null;
}

function outputsFor(graph: Graph, purpose: Purpose, isMeasured: boolean, misfit: Misfit): Graph {
  const [output = ''] = graph.outputs;
  const { shape } = valueOf(graph, output).type;
  const { text, fits } = tasks[purpose.task].output(purpose);
  if (!fits(shape)) {
    throw misfit(
      `the network gives [${shapeText(graph, output)}] for an example at "${output}"; a network that ` +
        `${tasks[purpose.task].does} on these data gives ${text}`,
      'set `task`, or give data with as many classes or targets as the network has',
    );
  }
  if (purpose.targets === undefined || !isMeasured) return graph;
  const standardized = withTargets(graph, purpose.targets);
  if (standardized !== null) return standardized;
  throw misfit(
    `the network that regresses ends in "${output}", which cannot take the units of the targets in`,
    'end it with a fully connected layer with a bias, or set `reals: standardized` if it gives standard deviations',
  );
}

/** What to say of a file whose classes are not those of the data, in their order; null for the same. */
function classOrder(ofFile: readonly string[], ofData: readonly string[]): string | null {
  const at = ofFile.findIndex((name, index) => name !== ofData[index]);
  if (at < 0) return null;
  return `output ${at} is class "${ofFile[at] ?? ''}" in the model's file and "${ofData[at] ?? ''}" in the data`;
}
