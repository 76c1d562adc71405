import { describe, expect, it } from 'vitest';
import { example } from '../config/example.ts';
import { tinyText } from '../e2e/workspace.ts';
import { judgeTexts } from './pipeline-texts.ts';

describe('pipelines damaged at random', () => {
  it('are refused with a place, a remedy and words of our own', { timeout: 120_000 }, () => {
    const { accepted, refused, faults } = judgeTexts([tinyText, tinyText, example], 11, 1000);
    expect(faults.slice(0, 3).join('\n\n')).toBe('');
    expect(faults).toEqual([]);
    // Edits of names, comments and numbers leave a pipeline that is right.
    expect(Math.min(accepted, refused)).toBeGreaterThan(50);
  });
});
