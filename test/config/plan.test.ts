import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../src/config/load.ts';
import { makePlan } from '../../src/config/plan.ts';
import { edited } from './example.ts';

describe('a plan', () => {
  const configs = (text: string) => {
    const plan = makePlan(parsePipeline(text, 'p.yaml'), { threads: 1, cores: 1, now: () => 0 });
    return new Map(plan.stages.map(({ name, config }) => [name, JSON.stringify(config)] as const));
  };

  it('trains anew for another augmentation, and repeats nothing else', () => {
    const [plain, augmented] = ['', '\n  augment: { crop: 2 }'].map((line) =>
      configs(edited(['mean: 0 }', `mean: 0 }${line}`])),
    );
    const changed = [...(plain ?? [])].flatMap(([name, config]) => (augmented?.get(name) === config ? [] : [name]));
    expect(changed).toEqual(['pretrain', 'qat']);
  });
});
