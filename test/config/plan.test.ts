import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { makePlan } from '../../src/config/plan.ts';
import { edited } from './example.ts';

describe('a plan', () => {
  const configs = async (text: string) => {
    const options = { home: '', threads: 1, cores: 1, now: () => 0 };
    const plan = await makePlan(parsePipeline(text, 'p.yaml'), options);
    return new Map(plan.stages.map(({ name, config }) => [name, JSON.stringify(config)] as const));
  };

  it('trains anew for another augmentation, and repeats nothing else', async () => {
    const [plain, augmented] = await Promise.all(
      ['', '\n  augment: { crop: 2 }'].map((line) => configs(edited(['mean: 0 }', `mean: 0 }${line}`]))),
    );
    const changed = [...(plain ?? [])].flatMap(([name, config]) => (augmented?.get(name) === config ? [] : [name]));
    expect(changed).toEqual(['pretrain', 'qat']);
  });
});
