/** `model.outputs`, and what else a pipeline says of single outputs. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import { unreachable } from '../../core/assert.ts';
import type { DatasetIdentity } from '../../data/dataset.ts';
import type { ModelConfig } from '../../models/config.ts';
import type { Answers } from '../../tasks/define.ts';
import { tasks } from '../../tasks/index.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate, Path } from '../source.ts';
import { didYouMean } from '../suggest.ts';

type LayerModel = Extract<ModelConfig, { layers: unknown }>;

/** Outputs that are no layers, and fields of outputs that do not go together. */
export function outputDiagnostics({ outputs, task, layers }: LayerModel, locate: Locate): Diagnostic[] {
  if (outputs === undefined) return [];
  const names = layers.map(({ name }) => name);
  const ofOutputs = Object.entries(outputs).flatMap(([name, output]): Diagnostic[] => [
    ...(names.includes(name)
      ? []
      : [
          {
            code: 'unknown-layer',
            place: locate(['model', 'outputs', name], 'key'),
            message: `\`model.outputs\` names \`${name}\`, but no layer has that name`,
            hint: didYouMean(name, names),
          },
        ]),
    ...(output.targets === undefined || output.task === 'regress'
      ? []
      : [
          {
            code: 'field-of-other-task',
            place: locate(['model', 'outputs', name, 'targets'], 'key'),
            message: `\`model.outputs.${name}.targets\` is for an output that regresses; this one ${tasks[output.task].does}`,
            hint: 'leave it out, or set `task: regress`',
          },
        ]),
  ]);
  if (task === 'classify') return ofOutputs;
  return [
    ...ofOutputs,
    {
      code: 'task-and-outputs',
      place: locate(['model', 'task'], 'key'),
      message: 'the model has both `task` and `outputs`, each of which has a task of its own',
      hint: 'leave `model.task` out',
    },
  ];
}

/** Stages that know one output only. */
export function outputStageDiagnostics({ model, stages }: PipelineConfig, locate: Locate): Diagnostic[] {
  const hasOutputs = model !== undefined && 'layers' in model && model.outputs !== undefined;
  if (!hasOutputs) return [];
  return Object.entries(stages).flatMap(([name, { uses }]): Diagnostic[] =>
    uses !== 'export'
      ? []
      : [
          {
            code: 'several-outputs',
            place: locate(['stages', name, 'uses'], 'value'),
            message: 'the export stage writes code for a network of one output; this one has several',
            hint: 'leave the stage out, and use the file of the `convert` stage',
          },
        ],
  );
}

/** What the data have to have for an output, and the place that asks for it. */
interface Asked {
  readonly answers: Answers;
  readonly place: Path;
  readonly targets: readonly string[];
}

/** What the outputs of a pipeline are compared with. */
export function askedAnswers(model: ModelConfig | undefined, answers: Answers): readonly Asked[] {
  if (model === undefined || !('layers' in model) || model.outputs === undefined) {
    return [{ answers, place: ['data'], targets: [] }];
  }
  return Object.entries(model.outputs).map(([name, { task, targets = [] }]) => ({
    ...{ answers: tasks[task].answers, place: ['model', 'outputs', name], targets },
  }));
}

/** Outputs that the data have nothing to compare with. */
export function answerProblems(asked: readonly Asked[], identity: DatasetIdentity, locate: Locate): Diagnostic[] {
  const columns = (identity.targets ?? []).map(({ name }) => name);
  return asked.flatMap(({ answers, place, targets }): Diagnostic[] => {
    const missing = missingAnswers(answers, identity);
    if (missing !== null) return [{ code: 'no-answers', place: locate(place, 'key'), ...missing }];
    return targets.flatMap((target, index) =>
      columns.includes(target)
        ? []
        : [
            {
              code: 'unknown-target',
              place: locate([...place, 'targets', String(index)], 'value'),
              message: `the data have no target ${target}; the targets are ${columns.join(', ')}`,
              hint: didYouMean(target, columns),
            },
          ],
    );
  });
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
