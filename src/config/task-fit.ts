/** Mistakes in how a pipeline's settings fit the task of its network. */
import type { Diagnostic } from '../core/diagnostic.ts';
import type { DataSize } from '../data/dataset.ts';
import type { Task } from '../measurements/metrics.ts';
import { taskNames } from '../measurements/metrics.ts';
import type { TaskRow } from '../tasks/define.ts';
import { tasks } from '../tasks/index.ts';
import { testFields } from '../tasks/tested.ts';
import { tasksOf } from './task.ts';
import type { ResolvedPipeline } from './resolve.ts';
import type { PipelineConfig } from './schema.ts';
import type { Locate, Path } from './source.ts';

/** Fields of `loss` and of test stages that are for networks with another task. */
export function taskDiagnostics(config: PipelineConfig, locate: Locate): Diagnostic[] {
  const own = tasksOf(config);
  const foreign = (path: Path, isFieldOf: (row: TaskRow) => boolean): Diagnostic[] => {
    if (own.some((task) => isFieldOf(tasks[task]))) return [];
    const others = taskNames.filter((name) => isFieldOf(tasks[name]));
    return [
      {
        code: 'field-of-other-task',
        place: locate(path, 'key'),
        message: `\`${path.join('.')}\` is for a network that ${oneOf(others.map(doesWhat))}; this one ${[...new Set(own)].map(doesWhat).join(' and ')}`,
        hint: 'leave it out, or set `model.task`',
      },
    ];
  };
  const { loss } = config;
  const ofLoss = Object.keys(loss).flatMap((field) =>
    foreign(['loss', field], ({ lossFields }) => lossFields.some((own) => own === field)),
  );
  const ofTests = Object.entries(config.stages).flatMap(([name, stage]) =>
    stage.uses !== 'test'
      ? []
      : Object.keys(testFields)
          .filter((field) => field in stage)
          .flatMap((field) => foreign(['stages', name, field], (row) => row.testFields.some((own) => own === field))),
  );
  return [...ofLoss, ...ofTests, ...huberDiagnostics(config, locate)];
}

const doesWhat = (task: Task): string => tasks[task].does;

/** `a, b or c` */
function oneOf(texts: readonly string[]): string {
  const [last = '', ...others] = texts.toReversed();
  return others.length === 0 ? last : `${others.toReversed().join(', ')} or ${last}`;
}

function huberDiagnostics({ loss: { error, huber_delta: delta } }: PipelineConfig, locate: Locate): Diagnostic[] {
  if (delta === undefined || error === 'huber') return [];
  return [
    {
      code: 'delta-without-huber',
      place: locate(['loss', 'huber_delta'], 'key'),
      message: '`loss.huber_delta` is only for `error: huber`',
      hint: 'add `error: huber`, or leave it out',
    },
  ];
}

/** Settings that name classes which the data do not have. */
export function classDiagnostics(
  { loss, stages }: Pick<ResolvedPipeline, 'loss' | 'stages'>,
  { classNames, tags }: Pick<DataSize, 'classNames' | 'tags'>,
  locate: Locate,
): Diagnostic[] {
  const names = tags ?? classNames;
  const [kind, plural] = tags === undefined ? ['class', 'classes'] : ['label', 'labels'];
  const unknown = (path: Path, part: 'key' | 'value', name: string): Diagnostic[] =>
    names.includes(name)
      ? []
      : [
          {
            code: 'unknown-class',
            place: locate(path, part),
            message: `the data have no ${kind} ${name}; the ${plural} are ${shown(names)}`,
            hint: `write the name of a ${kind} as the data have it`,
          },
        ];
  const weights = typeof loss.class_weights === 'object' ? Object.keys(loss.class_weights) : [];
  return [
    ...weights.flatMap((name) => unknown(['loss', 'class_weights', name], 'key', name)),
    ...stages.flatMap(({ name: stage, config }) =>
      config.uses === 'test' && config.anomaly !== undefined
        ? unknown(['stages', stage, 'anomaly'], 'value', config.anomaly)
        : [],
    ),
    ...stages.flatMap(({ name: stage, config }) =>
      config.uses === 'test' && config.top_k !== undefined ? alwaysRight(stage, config.top_k, names, locate) : [],
    ),
  ];
}

/** A `top_k` that every answer meets. */
function alwaysRight(stage: string, top: number, names: readonly string[], locate: Locate): Diagnostic[] {
  if (top < names.length) return [];
  return [
    {
      code: 'too-many-top',
      place: locate(['stages', stage, 'top_k'], 'value'),
      message: `\`top_k\` is ${top}, and the data have ${names.length} classes: every answer is right`,
      hint: names.length > 2 ? `set 2 to ${names.length - 1}, or leave it out` : 'leave it out',
    },
  ];
}

function shown(names: readonly string[]): string {
  const first = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${first} and ${names.length - 8} more` : first;
}
