import { describe, expect, it } from 'vitest';
import { parseMatrix } from '../../src/config/load.ts';
import { mergeFound } from '../../src/config/matrix.ts';
import { makeMatrixPlan } from '../../src/config/matrix-plan.ts';
import { formatDiagnostic, formatWarning, UserError } from '../../src/core/diagnostic.ts';
import { qpipeHome } from '../../src/install/home.ts';
import { openResources } from '../../src/stages/resources.ts';

const stages = `model:
  layers:
    - { kind: conv_2d, filters: 2, kernel: 3, activation: relu }
    - { kind: flatten }
    - { kind: fully_connected, units: 10 }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: 64 }
  ptq: { uses: ptq, from: pretrain }
  qat: { uses: qat, from: pretrain, epochs: 1, batch: 64, delay: 0 }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert }
`;
const head = 'version: 1\nname: tiny\ndata: { source: synthetic, validation: 64 }\n';
const withMatrix = (matrix: string) => `${head}matrix:\n${matrix}\n${stages}`;
/** Seeds by schemes. */
const two = withMatrix('  seed: [1, 2, 3]\n  stages.qat.scheme: [int8, uint8]');

const load = (text: string, set: readonly string[] = []) => parseMatrix(text, 'p.yaml', set);

function mistakes(text: string, set: readonly string[] = []): string[] {
  try {
    load(text, set);
  } catch (error) {
    if (error instanceof UserError) return error.diagnostics.map(formatDiagnostic);
    throw error;
  }
  return [];
}

async function planned(text: string, set: readonly string[] = []) {
  const identified: string[] = [];
  const resources = openResources({
    ...{ home: qpipeHome(), threads: 1, now: () => 0, cache: null, signal: null },
    identities: (key, make) => {
      identified.push(key);
      return make();
    },
  });
  try {
    const { plan } = await makeMatrixPlan(load(text, set), { resources, threads: 1 });
    return { plan, identified };
  } finally {
    resources.close();
  }
}

describe('the cells of a matrix', () => {
  it('are every choice of values, each the pipeline with those settings', () => {
    const settings = load(two).cells.map(({ loaded: { pipeline } }) => {
      const byName = Object.fromEntries(pipeline.stages.map(({ name, config }) => [name, config]));
      return [pipeline.seed, byName['qat'], byName['convert']];
    });
    // Written out by hand: the conversion follows the scheme of its branch.
    const schemes = ['int8', 'uint8', 'int8', 'uint8', 'int8', 'uint8'];
    expect(settings).toEqual(
      [1, 1, 2, 2, 3, 3].map((seed, index): unknown[] => {
        const scheme: unknown = expect.objectContaining({ scheme: schemes[index] });
        return [seed, scheme, scheme];
      }),
    );
  });

  it('may set items of lists, maps, and what the file leaves out', () => {
    const text = withMatrix(
      '  model.layers.0.filters: [2, 4]\n  stages.pretrain.optimizer: [{ kind: adam }, { kind: sgd, learning_rate: 0.1 }]',
    );
    const { axes, cells } = load(text);
    expect(axes.map(({ name, labels }) => [name, labels])).toEqual([
      ['filters', ['2', '4']],
      ['optimizer', ['adam', 'sgd']],
    ]);
    const last = cells[3]?.loaded.pipeline;
    expect(last?.model).toMatchObject({ layers: [{ filters: 4 }, {}, {}] });
    expect(last?.stages[0]?.config).toMatchObject({ optimizer: { kind: 'sgd', learning_rate: 0.1 } });
  });

  it('have words that tell values and axes apart', () => {
    const text = withMatrix(
      '  stages.pretrain.batch: [32, 64]\n  stages.qat.batch: [32, 64]\n  data.augment: [{ flip: true }, { crop: 1 }]',
    );
    expect(load(text).axes.map(({ name, labels }) => [name, labels])).toEqual([
      ['pretrain.batch', ['32', '64']],
      ['qat.batch', ['32', '64']],
      ['augment', ['v1', 'v2']],
    ]);
  });

  it('are fewer where the command line sets an axis, or names its values', () => {
    const seeds = (set: readonly string[]) => load(two, set).cells.map(({ loaded }) => loaded.pipeline.seed);
    expect(seeds(['seed=7'])).toEqual([7, 7]);
    expect(seeds(['matrix.seed=[2, 9]'])).toEqual([2, 2, 9, 9]);
    expect(seeds(['matrix.stages.qat.scheme=[uint8]'])).toEqual([1, 2, 3]);
    expect(seeds(['matrix=null', 'seed=4'])).toEqual([4]);
  });
});

describe('a mistake in a matrix', () => {
  it('is placed at its value and said once for the cells that have it', () => {
    const text = withMatrix('  seed: [1, 2]\n  stages.qat.scheme: [int8, int9]');
    expect(mistakes(text)).toEqual([
      expect.stringMatching(
        /^p\.yaml:6:29 error bad-value: `stages\.qat\.scheme` is "int9"; .*\(in the cells with scheme=int9\)/,
      ),
    ]);
  });

  it('is said as without a matrix where all cells have it', () => {
    const mistake = 'batch: 64, delay: soon';
    const broken = two.replace('batch: 64, delay: 0', mistake);
    const [found, ...others] = mistakes(broken);
    expect(others).toEqual([]);
    expect(found).toContain('`stages.qat.delay` is "soon"; expected a whole number\n');
  });

  it('names the one cell, where it takes two values together', async () => {
    // 3,584 of 4,096 images are left for training: 63 steps an epoch.
    const text = withMatrix('  stages.qat.delay: [0, 100]\n  stages.qat.epochs: [1, 2]');
    await expect(planned(text)).rejects.toThrow(
      /^p\.yaml:5:25 error delay-too-long: .*\(in the cell with delay=100 and epochs=1\)/,
    );
  });

  it('is said of each cell where it is another one', async () => {
    const text = withMatrix('  stages.qat.delay: [0, 100, 200]\n  stages.qat.epochs: [1, 2, 4]');
    // 63 steps with 1 epoch, 126 with 2, 252 with 4.
    const found = await planned(text).catch((error: unknown) => error);
    expect(found).toBeInstanceOf(UserError);
    expect((found as UserError).diagnostics.map(({ message }) => /\(in [^(]*\)$/.exec(message)?.[0])).toEqual([
      '(in the cell with delay=100 and epochs=1)',
      '(in the cell with delay=200 and epochs=1)',
      '(in the cell with delay=200 and epochs=2)',
    ]);
  });

  it('counts the cells where no values describe them', () => {
    const { axes, cells } = load(two);
    const found = [{ code: 'odd', place: { file: 'p.yaml' }, message: 'odd' }];
    const merged = mergeFound(
      axes,
      cells.map(({ choices }) => choices),
      cells.map((_, index) => (index === 1 || index === 2 ? found : [])),
    );
    expect(merged.map(({ message }) => message)).toEqual(['odd (in 2 of 6 cells; the first is seed=1, scheme=uint8)']);
  });

  it.each([
    [
      '  stages.qta.delay: [1, 2]',
      'p.yaml:5:3 error bad-override: the axis `stages.qta.delay` of `matrix`: there is no stage `qta`',
    ],
    ['  stages.qat.dealy: [1, 2]', 'p.yaml:5:3 error unknown-key: `stages.qat` has no key `dealy`'],
    ['  seed: 3', 'p.yaml:5:3 error bad-matrix: `matrix.seed` is 3; expected a list of values'],
    ['  seed: []', 'p.yaml:5:3 error bad-matrix: `matrix.seed` is an empty list'],
    ['  seed: [1, 2, 1]', 'p.yaml:5:16 error bad-matrix: `matrix.seed` has the same value twice, as items 0 and 2'],
    ['  stages: { qat: [1] }', 'p.yaml:5:3 error bad-matrix: `matrix.stages` is a map; expected a list of values'],
    ['  name: [a, b]', 'p.yaml:5:3 error bad-matrix: `name` cannot differ from cell to cell'],
    ['  "a b": [1, 2]', 'p.yaml:5:3 error bad-matrix: `a b` is no path of a setting'],
    [
      '  stages.qat: [{}]\n  stages.qat.delay: [1]',
      'p.yaml:6:3 error bad-matrix: the axes `stages.qat` and `stages.qat.delay` set the same',
    ],
  ])('%s', (matrix, printed) => {
    const [found, ...others] = mistakes(withMatrix(matrix));
    expect(others).toEqual([]);
    expect(found).toContain(printed);
  });

  it('is a matrix of more than 1,000 cells', () => {
    const items = (count: number) => `[${Array.from({ length: count }, (_, index) => index + 1).join(', ')}]`;
    const text = withMatrix(`  seed: ${items(40)}\n  stages.qat.delay: ${items(26)}`);
    expect(mistakes(text)[0]).toContain('the matrix has 1,040 cells (40 × 26); expected at most 1,000');
  });

  it('is no map', () => {
    expect(mistakes(`${head}matrix: [1, 2]\n${stages}`)[0]).toContain(
      'p.yaml:4:9 error bad-matrix: `matrix` is a list',
    );
  });

  it('is placed at the command line where that has written it', () => {
    expect(mistakes(two, ['matrix.stages.qat.scheme=[int9]'])[0]).toMatch(/^command line error bad-value/);
  });
});

describe('the plan of a matrix', () => {
  it('has each stage once for the settings that it depends on', async () => {
    const { plan } = await planned(two);
    const of = (kind: string) => plan.stages.filter((stage) => stage.kind === kind).map(({ name }) => name);
    expect(of('float-pretrain')).toEqual(['pretrain@seed=1', 'pretrain@seed=2', 'pretrain@seed=3']);
    expect(of('ptq')).toEqual(['ptq@seed=1', 'ptq@seed=2', 'ptq@seed=3']);
    expect(of('qat')).toHaveLength(6);
    expect(of('qat').slice(0, 2)).toEqual(['qat@seed=1@scheme=int8', 'qat@seed=1@scheme=uint8']);
    // 3 + 3 + 6 * 5
    expect(plan.stages).toHaveLength(36);
    expect(plan.matrix?.cells[3]).toEqual({
      name: 'seed=2, scheme=uint8',
      choices: [1, 1],
      stages: {
        ...{ pretrain: 'pretrain@seed=2', ptq: 'ptq@seed=2', qat: 'qat@seed=2@scheme=uint8' },
        ...{ eval: 'eval@seed=2@scheme=uint8', freeze: 'freeze@seed=2@scheme=uint8' },
        ...{ convert: 'convert@seed=2@scheme=uint8', test: 'test@seed=2@scheme=uint8' },
      },
    });
    const qat = plan.stages.find(({ name }) => name === 'qat@seed=3@scheme=uint8');
    expect(Object.values(qat?.inputs ?? {})).toContainEqual(expect.objectContaining({ stage: 'pretrain@seed=3' }));
  });

  it('has stages with the keys that they have without a matrix', async () => {
    const alone = (await planned(two, ['seed=2', 'stages.qat.scheme=uint8'])).plan;
    const { plan } = await planned(two);
    const like = plan.matrix?.cells[3]?.stages ?? {};
    expect(alone.matrix).toBeUndefined();
    expect(alone.stages.map(({ name }) => name)).toEqual(Object.keys(like));
    for (const stage of alone.stages) {
      // Memory is divided among the sets of examples, and in no key.
      const { inputs, name, job, ...rest } = stage;
      const same = plan.stages.find((other) => other.name === like[name]);
      expect(same).toMatchObject(rest);
      expect(same?.job).toMatchObject({ config: job.config, seed: job.seed });
      expect(Object.keys(same?.inputs ?? {})).toEqual(Object.keys(inputs));
    }
  });

  it('shares no test whose gates differ, and everything before it', async () => {
    const { plan } = await planned(withMatrix('  stages.test.gates.drop_max: [0.1, 0.2]'));
    expect(plan.stages.map(({ name }) => name)).toEqual([
      ...['pretrain', 'ptq', 'qat', 'eval', 'freeze', 'convert'],
      ...['test@drop_max=0.1', 'test@drop_max=0.2'],
    ]);
  });

  it('says in resolved.json what each cell has that the first has not', async () => {
    const { plan } = await planned(two);
    const { cells } = plan.resolved['matrix'] as { cells: { settings: unknown }[] };
    expect(cells[0]?.settings).toEqual({});
    expect(cells[2]?.settings).toEqual({ seed: 2 });
    expect(cells[1]?.settings).toEqual({
      ...{ 'stages.qat.scheme': 'uint8', 'stages.qat.batch_norm': 'folded' },
      ...{ 'stages.convert.scheme': 'uint8', 'stages.convert.input': 'uint8', 'stages.convert.output': 'uint8' },
    });
  });

  it('identifies each set of examples once', async () => {
    expect((await planned(two)).identified).toHaveLength(3);
    expect((await planned(withMatrix('  stages.qat.delay: [0, 1, 2, 3]'))).identified).toHaveLength(1);
  });

  it('may have other data and another network in each cell', async () => {
    const { plan } = await planned(withMatrix('  model.layers.0.filters: [2, 3]\n  data.validation: [64, 128]'));
    expect(plan.stages.filter(({ kind }) => kind === 'float-pretrain').map(({ name }) => name)).toEqual([
      ...['pretrain@filters=2@validation=64', 'pretrain@filters=2@validation=128'],
      ...['pretrain@filters=3@validation=64', 'pretrain@filters=3@validation=128'],
    ]);
  });

  it('is one plan with the names of the pipeline where one cell is left', async () => {
    const { plan } = await planned(two, ['matrix.seed=[2]', 'stages.qat.scheme=uint8']);
    expect(plan.stages.map(({ name }) => name)).toContain('pretrain');
  });

  it('warns once, with the cells', async () => {
    const text = withMatrix('  seed: [1, 2]\n  stages.pretrain.optimizer.learning_rate: [0.1, 50]');
    const { plan } = await planned(text.replace('batch: 64 }', 'batch: 64, optimizer: { kind: sgd } }'));
    const odd = plan.warnings.map(formatWarning).filter((found) => found.includes('unusual-value'));
    expect(odd).toEqual([
      expect.stringMatching(/^p\.yaml:6:50 warning unusual-value: .*\(in the cells with learning_rate=50\)/),
    ]);
  });
});
