import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { qpipeHome } from '../../src/install/home.ts';
import { parsePipeline } from '../../src/config/load.ts';
import type { IdentityMemory } from '../../src/data/pool.ts';
import { makePlan } from '../../src/config/plan.ts';
import { openResources } from '../../src/stages/resources.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import { edited, example } from './example.ts';

const known = new Map<string, object>();
/** The examples are read once. */
const identities: IdentityMemory = async <T extends object>(key: string, make: () => T | Promise<T>): Promise<T> => {
  const found = (known.get(key) as T | undefined) ?? (await make()); // what this very key was made with
  known.set(key, found);
  return found;
};

describe('a plan', () => {
  const stages = async (text: string) => {
    const options = { home: qpipeHome(), threads: 1, now: () => 0, identities, cache: null, signal: null };
    const resources = openResources(options);
    return (await makePlan(parsePipeline(text, 'p.yaml'), { resources, threads: 1 })).plan.stages;
  };
  const configs = async (text: string) =>
    new Map((await stages(text)).map(({ name, config }) => [name, JSON.stringify(config)] as const));
  const numericsOf = async (text: string) => {
    const { environment } = (await stages(text)).find(({ name }) => name === 'qat')!;
    const { numerics, architecture, cores } = environment;
    return { numerics, architecture, cores };
  };

  it('trains again for another augmentation, and repeats nothing else', async () => {
    const [plain, augmented] = await Promise.all(
      ['', '\n  augment: { crop: 2 }'].map((line) => configs(edited(['mean: 0 }', `mean: 0 }${line}`]))),
    );
    const changed = [...(plain ?? [])].flatMap(([name, config]) => (augmented?.get(name) === config ? [] : [name]));
    expect(changed).toEqual(['pretrain', 'qat']);
  });

  /** All that a key is made of, apart from what other stages write. */
  const keyed = async (text: string) =>
    new Map(
      (await stages(text)).map(({ name, kind, implementation, config, seeds, environment, replicas, inputs }) => {
        const external = Object.entries(inputs).filter(([, input]) => input.kind === 'external');
        return [name, JSON.stringify([kind, implementation, config, seeds, environment, replicas, external])] as const;
      }),
    );

  it.each<[string, readonly (readonly [string, string])[], readonly string[]]>([
    ['a description', [['optional text', 'another text']], []],
    ['a comment', [['# A comment', '# Another']], []],
    ['the name of the pipeline', [['name: mnist-lenet', 'name: renamed']], []],
    ['threads', [['engine: wasm', 'engine: wasm\nthreads: 2']], []],
    ['memory', [['engine: wasm', 'engine: wasm\nmemory: 1 GB']], []],
    ['how often a state is saved', [['keep: best', 'keep: best\n    checkpoint: { steps: 7 }']], []],
    ['a gate', [['int8_top1_min: 0.98', 'int8_top1_min: 0.5']], []],
    ['the seed', [['seed: 1', 'seed: 2']], ['pretrain', 'qat']],
    ['a learning rate', [['learning_rate: 0.05', 'learning_rate: 0.04']], ['pretrain']],
    ['epochs', [['epochs: 3', 'epochs: 4']], ['pretrain']],
    ['the delay', [['delay: 500', 'delay: 400']], ['qat']],
    ['the window of ranges', [['range_window: 9000', 'range_window: 8000']], ['qat']],
    ['replicas', [['[cpu:0, cpu:1]', '[cpu:0]']], ['qat']],
    ['a setting of the converter', [['convert, from: freeze', 'convert, from: freeze, metadata: false']], ['convert']],
    ['the engine', [['engine: wasm', 'engine: reference']], ['pretrain', 'qat', 'test']],
  ])('has other keys for %s only where it matters', async (_what, edits, changed) => {
    const [before, after] = await Promise.all([keyed(example), keyed(edited(...edits))]);
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect([...after].flatMap(([name, identity]) => (before.get(name) === identity ? [] : [name]))).toEqual(changed);
  });

  it('has the keys of stages that are named otherwise', async () => {
    const renamed = [
      ['  qat:\n', '  quantized:\n'],
      ['from: qat', 'from: quantized'],
    ] as const;
    const [before, after] = await Promise.all([keyed(example), keyed(edited(...renamed))]);
    expect([...after.values()]).toEqual([...before.values()]);
  });

  it('is plain JSON, so that another process may run its stages', async () => {
    const planned = await stages(edited());
    expect(JSON.parse(JSON.stringify(planned))).toStrictEqual(planned);
  });

  it('takes results of our own engine from any machine', async () => {
    expect(await numericsOf(edited())).toEqual({ numerics: 'strict' });
  });

  it.skipIf(tensorflowEngine === null)('takes those of a library from machines of the same kind', async () => {
    expect(await numericsOf(edited(['engine: wasm', 'engine: tensorflow']))).toEqual({
      numerics: 'native',
      architecture: process.arch,
      cores: availableParallelism(),
    });
  });
});
