// Outputs of a network as a pipeline says them, and what its user reads where they do not fit.
import { describe, expect, it } from 'vitest';
import { answerProblems, askedAnswers } from '../../src/config/checks/outputs.ts';
import { parsePipeline } from '../../src/config/load.ts';
import { modelSpec } from '../../src/config/purpose.ts';
import type { DatasetIdentity } from '../../src/data/dataset.ts';
import { squareSize } from '../../src/data/dataset.ts';
import { allStages, mistakesWithoutData } from './checked.ts';

interface Settings {
  readonly layers?: string;
  readonly outputs?: string;
  readonly task?: string;
  readonly test?: string;
  readonly stages?: string;
  readonly units?: number;
}

const heads = 'logits: { task: classify }, image: { task: reconstruct, loss_weight: 0.5 }';

const pipeline = ({
  layers = '',
  outputs = heads,
  task = '',
  test = '',
  stages = '',
  units = 4,
}: Settings) => `version: 1
name: heads
data: { source: synthetic, size: 12, classes: 4, train: 64, validation: 16, test: 16 }
model:
${task}  layers:
    - { kind: fully_connected, name: hidden, units: 8, activation: relu }
    - { kind: fully_connected, name: logits, units: ${units} }
    - { kind: fully_connected, name: wide, input: hidden, units: 144 }
    - { kind: reshape, name: image, shape: [12, 12, 1] }
${layers}  outputs: { ${outputs} }
${allStages(test)}${stages}`;

const mistakes = (settings: Settings) => mistakesWithoutData(pipeline(settings));

describe('the outputs of a pipeline', () => {
  it('fit, with limits for all and for one', async () => {
    const test = ', gates: { drop_max: 0.1, error_rise_max: 0.5 }, output_gates: { logits: { int8_top1_min: 0.3 } }';
    expect(await mistakes({ test })).toEqual([]);
  });

  it('are in the order of the file, with the classes of the data and their weights', () => {
    const { pipeline: resolved } = parsePipeline(pipeline({}), 'p.yaml');
    const spec = modelSpec(resolved, squareSize(12, 1, 4, 64));
    const classes = ['0', '1', '2', '3'];
    expect(spec?.outputs).toEqual([
      { output: 'logits', task: 'classify', classes },
      { output: 'image', task: 'reconstruct', classes, lossWeight: 0.5 },
    ]);
    expect(spec?.task).toBe('classify');
  });

  it.each<readonly [title: string, settings: Settings, expected: readonly string[]]>([
    [
      'a name that no layer has, and a layer that nothing reads',
      { outputs: 'logts: {}, hidden: {}' },
      [
        '7:15 unread-layer: nothing reads the output of this layer: the next one reads `hidden`',
        '9:15 unread-layer: nothing reads the output of this layer, and `model.outputs` does not name it | remove it, or name it in `model.outputs`',
        '10:14 unknown-layer: `model.outputs` names `logts`, but no layer has that name | did you mean `logits`?',
      ],
    ],
    [
      'one output',
      { outputs: 'logits: { task: classify }' },
      ['10:12 bad-value: `model.outputs` is a map; expected at least 2 entries | '],
    ],
    [
      'a weight below zero',
      { outputs: 'logits: { loss_weight: -1 }, image: { task: reconstruct }' },
      ['10:37 bad-value: `model.outputs.logits.loss_weight` is -1; expected at least 0'],
    ],
    [
      'targets of an output that classifies',
      { outputs: 'logits: { targets: [x] }, image: { task: reconstruct }' },
      [
        '10:24 field-of-other-task: `model.outputs.logits.targets` is for an output that regresses; this one classifies | leave it out, or set `task: regress`',
      ],
    ],
    [
      'a task of the whole network',
      { task: '  task: regress\n' },
      [
        '5:3 task-and-outputs: the model has both `task` and `outputs`, each of which has a task of its own | leave `model.task` out',
      ],
    ],
    [
      'a shape that does not fit its task',
      { units: 3 },
      [
        '7:7 wrong-output: output `logits` gives 3 values for each image; expected 4 scores, one per class | end it with { kind: fully_connected, units: 4 }',
      ],
    ],
    [
      'limits of an output that there is not, of another task, and of no task',
      { test: ', gates: { mae_rise_max: 1 }, output_gates: { logit: { drop_max: 1 }, image: { drop_max: 1 } }' },
      [
        '17:47 gate-of-other-task: `stages.test.gates.mae_rise_max` is for a network that regresses; this one classifies and reconstructs',
        '17:82 unknown-output: `stages.test.output_gates` names `logit`, but `model.outputs` does not | did you mean `logits`?',
        '17:115 gate-of-other-task: `stages.test.output_gates.image.drop_max` is for a network that classifies or decides between two classes; this one reconstructs',
      ],
    ],
    [
      'code for one output',
      { stages: '  firmware: { uses: export, from: test }\n' },
      [
        '18:21 several-outputs: the export stage writes code for a network of one output; this one has several | leave the stage out, and use the file of the `convert` stage',
      ],
    ],
  ])('are a mistake: %s', async (_, settings, expected) => {
    const found = await mistakes(settings);
    expect(found).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(found[index]).toContain(text);
  });

  it('are compared with columns that the data have', () => {
    const outputs = 'logits: { task: regress, targets: [age, hight] }, image: { task: segment }';
    const { pipeline: resolved, locate } = parsePipeline(pipeline({ outputs }), 'p.yaml');
    const target = (name: string) => ({ name, mean: 0, deviation: 1 });
    const identity: DatasetIdentity = {
      ...{ ...squareSize(12, 1, 4, 64), name: 'data', validationImages: 0, testImages: 1 },
      ...{ labels: { training: [], test: [] }, digests: { training: 'sha256:1', test: 'sha256:2' } },
      targets: [target('age'), target('height')],
    };
    const found = answerProblems(askedAnswers(resolved.model, 'classes'), identity, locate);
    expect(found.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      ['unknown-target', 'the data have no target hight; the targets are age, height', 'did you mean `height`?'],
      ['no-answers', 'the examples have no masks, which a network with `task: segment` needs', expect.any(String)],
    ]);
  });
});
