import { expect, it } from 'vitest';
import { example } from '../config/example.ts';
import { tinyText } from '../e2e/workspace.ts';
import { judgeTexts } from '../fault/pipeline-texts.ts';

it('20,000 damaged pipelines are refused with a place, a remedy and words of our own', { timeout: 1_200_000 }, () => {
  expect(judgeTexts([example, tinyText], 12, 20_000).faults).toEqual([]);
});
