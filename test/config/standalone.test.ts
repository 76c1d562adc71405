import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkPipeline as live } from '../../src/config/check-pipeline.ts';
import { example, edited } from './example.ts';

// Written by the build; its types are those of the module that it stands for.
const generated = '../../dist/config/check-pipeline.standalone.js';

describe('the check that the build writes', () => {
  const texts = [
    example,
    edited(['epochs: 3', 'epochs: 0'], ['uses: qat', 'uses: qta']),
    edited(['kind: sgd', 'kind: adagrad'], ['keep: best', 'keep: 7']),
    edited(['model: { preset: lenet5 }', 'model: { preset: lenet5, widht: 3 }']),
    edited(['int8_top1_min: 0.98', 'int8_top1_min: 2'], ['delay: 500', 'dealy: 500']),
    'version: 2\nstages: []\n',
    '[]',
  ];

  it.each(texts)('finds what Ajv finds, and fills in the same defaults (%#)', async (text) => {
    const { checkPipeline: written } = (await import(generated)) as { checkPipeline: typeof live };
    const [mine, its] = [parse(text) as unknown, parse(text) as unknown];
    expect(written(its)).toBe(live(mine));
    expect(its).toEqual(mine);
    expect(written.errors ?? []).toEqual(JSON.parse(JSON.stringify(live.errors ?? [])));
  });
});
