// Settings that do not fit the task of the network, read as its user reads them.
import { classDiagnostics } from '../../src/config/task-fit.ts';
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { allStages, mistakesWithoutData } from './checked.ts';

interface Settings {
  readonly task: string;
  readonly data?: string;
  readonly loss?: string;
  readonly units?: number;
  readonly layers?: string;
  readonly test?: string;
}

const pipeline = ({ task, data = '', loss, units = 4, layers, test = '' }: Settings): string => `version: 1
name: fit
data: { source: synthetic, size: 12, classes: 4, train: 64, validation: 16, test: 16${data} }
${loss === undefined ? '' : `loss: { ${loss} }`}
model:
  task: ${task}
  layers:
    - ${layers ?? `{ kind: fully_connected, units: ${units} }`}
${allStages(test)}`;

const mistakes = (settings: Settings) => mistakesWithoutData(pipeline(settings));

describe('settings of another task', () => {
  it.each<readonly [title: string, settings: Settings, expected: readonly string[]]>([
    [
      'weights of classes without classes',
      { task: 'regress', loss: 'class_weights: balanced' },
      [
        '4:9 field-of-other-task: `loss.class_weights` is for a network that classifies, decides between two classes, labels or segments; this one regresses | leave it out, or set `model.task`',
      ],
    ],
    [
      'an error without targets',
      { task: 'classify', loss: 'error: absolute' },
      [
        '4:9 field-of-other-task: `loss.error` is for a network that regresses; this one classifies | leave it out, or set `model.task`',
      ],
    ],
    [
      'fields of the test stage, each at its place',
      { task: 'reconstruct', layers: '{ kind: reshape, shape: [12, 12, 1] }', test: ', top_k: 2, threshold: f1' },
      [
        '15:38 field-of-other-task: `stages.test.top_k` is for a network that classifies; this one reconstructs | leave it out, or set `model.task`',
        '15:48 field-of-other-task: `stages.test.threshold` is for a network that decides between two classes; this one reconstructs | leave it out, or set `model.task`',
      ],
    ],
    [
      'anomalies where nothing is reconstructed',
      { task: 'classify', test: ', anomaly: disc' },
      [
        '15:38 field-of-other-task: `stages.test.anomaly` is for a network that reconstructs; this one classifies | leave it out, or set `model.task`',
      ],
    ],
    [
      "Huber's limit for another error",
      { task: 'regress', loss: 'error: squared, huber_delta: 2' },
      ['4:25 delta-without-huber: `loss.huber_delta` is only for `error: huber` | add `error: huber`, or leave it out'],
    ],
  ])('are a mistake: %s', async (_, settings, expected) => {
    expect(await mistakes(settings)).toEqual(expected);
  });
});

describe('an output that its task cannot have', () => {
  it.each<readonly [title: string, settings: Settings, expected: string]>([
    [
      'one value for four classes',
      { task: 'binary', units: 1 },
      '8:7 wrong-output: the network outputs 1 value for each image; expected 1 value, which decides between 2 classes; the data have 4 classes | use data with 2 classes, or `task: classify` with an output for each',
    ],
    [
      'too few values for the labels',
      { task: 'multi_label', data: ', answers: labels', units: 3 },
      '8:7 wrong-output: the network outputs 3 values for each image; expected 4 values, one per label | end it with { kind: fully_connected, units: 4 }',
    ],
    [
      'a map of another size',
      {
        ...{ task: 'segment', data: ', answers: masks' },
        layers: '{ kind: conv_2d, filters: 5, kernel: 3, stride: 2 }',
      },
      '8:7 wrong-output: the network outputs 6 x 6 pixels with 5 channels for each image; expected 12 x 12 pixels with 5 scores each, one per class | end it with { kind: conv_2d, filters: 5, kernel: 1 }, at the height and width of the image',
    ],
  ])('is a mistake: %s', async (_, settings, expected) => {
    expect(await mistakes(settings)).toEqual([expected]);
  });

  it.each(['multi_label', 'classify'])('is not said of data that have no answers for it: %s', async (task) => {
    const answers = task === 'classify' ? ', answers: labels' : '';
    expect(await mistakes({ task, data: answers })).toEqual([]);
  });
});

describe('answers of two kinds', () => {
  it('are one too many', () => {
    const data = 'data: { source: csv, path: x.csv, columns: { labels: [a], targets: [b] } }';
    const text = pipeline({ task: 'multi_label' }).replace(/^data: .*$/m, data);
    expect(() => parsePipeline(text, 'p.yaml')).toThrow('has both `labels` and `targets`');
  });
});

describe('class weights', () => {
  it('that are a number are explained, and not to be quoted', () => {
    const found = () => parsePipeline(pipeline({ task: 'classify', loss: 'class_weights: 3' }), 'p.yaml');
    expect(found).toThrow('`loss.class_weights` is 3');
    expect(found).not.toThrow('quotes');
  });

  it('below 0 are told what weights are', () => {
    const found = () => parsePipeline(pipeline({ task: 'classify', loss: 'class_weights: { disc: -1 }' }), 'p.yaml');
    expect(found).toThrow('expected at least 0');
    expect(found).toThrow('0 to learn nothing of it');
  });
});

describe('settings that name classes', () => {
  const classNames = ['cat', 'dog', 'owl'];
  const found = (settings: Settings, data: Parameters<typeof classDiagnostics>[1] = { classNames }) => {
    const { pipeline: resolved, locate } = parsePipeline(pipeline(settings), 'p.yaml');
    return classDiagnostics(resolved, data, locate).map(({ code, message }) => `${code}: ${message}`);
  };

  it('are compared with those of the data, or with their labels', () => {
    const settings = { task: 'classify', loss: 'class_weights: { dog: 2, fox: 3 }' } as const;
    expect(found(settings)).toEqual(['unknown-class: the data have no class fox; the classes are cat, dog, owl']);
    const tagged = { ...settings, task: 'multi_label' } as const;
    expect(found(tagged, { classNames: [], tags: ['dog', 'tall'] })).toEqual([
      'unknown-class: the data have no label fox; the labels are dog, tall',
    ]);
    expect(found({ ...settings, task: 'segment' }, { classNames: ['dog', 'fox'] })).toEqual([]);
  });

  it('do not ask for a place among all classes', () => {
    expect(found({ task: 'classify', test: ', top_k: 2' })).toEqual([]);
    expect(found({ task: 'classify', test: ', top_k: 3' })).toEqual([
      'too-many-top: `top_k` is 3, and the data have 3 classes: every answer is right',
    ]);
  });
});
