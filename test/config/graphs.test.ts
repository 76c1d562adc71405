/** `qpipe graph --each-pass`: each graph stands under the name of the pass that made it. */
import { describe, expect, it } from 'vitest';
import { graphText } from '../../src/cli/graph.ts';
import type { Level } from '../../src/graph/graph.ts';
import { makeWorkspace, tinyWith } from '../e2e/workspace.ts';

const space = makeWorkspace();
space.write(
  'p.yaml',
  tinyWith([
    ['activation: relu }', 'batch_norm: true, activation: relu }\n    - { kind: dropout, rate: 0.5 }'],
    ['delay: 2,', 'delay: 2, batch_norm: folded, dropout: off_after_delay,'],
  ]),
);
space.write('kept.yaml', tinyWith([['activation: relu }', 'batch_norm: true, activation: relu }']]));

interface Section {
  readonly pass: string;
  readonly text: string;
}

async function sections(level: Level, pipeline = 'p.yaml'): Promise<readonly Section[]> {
  const text = await graphText({ pipeline: space.file(pipeline), level, passes: 'each' });
  const parts = text.split(/^# after (.*)\n/m).slice(1);
  return parts.flatMap((pass, index) => (index % 2 === 0 ? [{ pass, text: parts[index + 1] ?? '' }] : []));
}

/** What each pass brings or takes away, in the words of the printed graph. */
const marks = {
  'fake quantizers': /= fake_quant/,
  'the loss': /= softmax_cross_entropy/,
  gradients: /= conv_2d_grad_filter/,
  'updates of weights': /^ {2}update {3}conv_2d_1\/filter <-/m,
  'batch norm as an op': /= batch_norm/,
  variables: /^ {2}variable/m,
  int8: /: int8\[/,
} as const;
type Mark = keyof typeof marks;

/** The names of the passes after which a mark comes or goes, as `+name` and `-name`. */
function changes(list: readonly Section[], mark: Mark): string[] {
  let before = false;
  return list.flatMap(({ pass, text }) => {
    const now = marks[mark].test(text);
    const change = now === before ? [] : [`${now ? '+' : '-'}${pass}`];
    before = now;
    return change;
  });
}

describe('the graph after each pass', () => {
  it.each<[Level, string, Mark, readonly string[]]>([
    ['float', 'p.yaml', 'variables', ['+build-model']],
    ['float', 'p.yaml', 'batch norm as an op', ['+build-model']],
    ['float', 'p.yaml', 'the loss', ['+add-loss']],
    ['float', 'p.yaml', 'gradients', ['+add-gradients']],
    ['float', 'p.yaml', 'updates of weights', ['+add-optimizer']],
    ['float', 'p.yaml', 'fake quantizers', []],
    ['qat', 'p.yaml', 'fake quantizers', ['+insert-fake-quant']],
    ['qat', 'p.yaml', 'the loss', ['+add-loss']],
    ['qat', 'p.yaml', 'gradients', ['+add-gradients']],
    ['qat', 'p.yaml', 'updates of weights', ['+add-optimizer']],
    ['qat', 'p.yaml', 'batch norm as an op', ['+build-model', '-fold-batch-norm-in-training']],
    ['eval', 'p.yaml', 'fake quantizers', ['+insert-fake-quant']],
    ['eval', 'p.yaml', 'batch norm as an op', ['+insert-fake-quant', '-fold-batch-norm']],
    ['int8', 'kept.yaml', 'batch norm as an op', ['+insert-fake-quant', '-fold-batch-norm']],
    ['int8', 'kept.yaml', 'variables', ['+insert-fake-quant', '-freeze-variables']],
    ['int8', 'kept.yaml', 'int8', ['+lower-to-integers']],
    ['int8', 'kept.yaml', 'fake quantizers', ['+insert-fake-quant', '-lower-to-integers']],
  ])('at level %s (%s): %s', async (level, pipeline, mark, expected) => {
    expect(changes(await sections(level, pipeline), mark)).toEqual(expected);
  });

  it.each<[Level, readonly string[]]>([
    ['float', ['build-model', 'add-loss', 'add-gradients', 'add-optimizer']],
    [
      'qat',
      [
        ...['build-model', 'insert-fake-quant', 'fold-batch-norm-in-training', 'stop-dropout'],
        ...['add-loss', 'add-gradients', 'add-optimizer'],
      ],
    ],
    ['eval', ['insert-fake-quant', 'fold-parameters', 'fold-batch-norm', 'prune']],
    [
      'int8',
      [
        ...['insert-fake-quant', 'fold-parameters', 'fold-batch-norm', 'prune'],
        ...['freeze-variables', 'fold-batch-norm', 'prune', 'lower-to-integers'],
      ],
    ],
  ])('at level %s is named in this order', async (level, names) => {
    expect((await sections(level)).map(({ pass }) => pass)).toEqual(names);
  });

  it('ends with the graph that is printed without `--each-pass`', async () => {
    for (const level of ['float', 'qat', 'eval', 'int8'] as const) {
      const last = await graphText({ pipeline: space.file('p.yaml'), level });
      const { pass, text } = (await sections(level)).at(-1) ?? { pass: '', text: '' };
      expect(last).toBe(`# after ${pass}\n${text}`);
    }
  });
});
