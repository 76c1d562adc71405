import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { qpipeHome } from '../../src/install/home.ts';
import { parsePipeline } from '../../src/config/load.ts';
import type { IdentityMemory } from '../../src/data/pool.ts';
import { makePlan } from '../../src/config/plan.ts';
import { openResources } from '../../src/stages/resources.ts';
import { tensorflowEngine } from '../engine/engines.ts';
import { edited } from './example.ts';

const identities: IdentityMemory = (_key, make) => make();

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
