// PTQ and QAT of one float model side by side: the paired test by hand, and what it says.
import { describe, expect, it } from 'vitest';
import type { PairedTest } from '../../src/report/sections/quantizations.ts';
import { quantizationPairs } from '../../src/report/sections/quantizations.ts';

const stage = (name: string, kind: string, reads: string[], type: string) => ({
  ...{ name, kind, reads, seconds: kind === 'qat' ? 60 : 2 },
  outputs: { it: { type } },
});
const stages = [
  stage('net', 'import', [], 'FloatModel/2'),
  stage('other', 'import', [], 'FloatModel/2'),
  stage('calibrated', 'ptq', ['net'], 'QatModel/2'),
  stage('trained', 'qat', ['net', 'calibrated'], 'QatModel/2'),
  stage('foreign', 'ptq', ['other'], 'QatModel/2'),
  stage('test-p', 'test', ['net', 'calibrated'], 'TestReport/1'),
  stage('test-q', 'test', ['net', 'trained'], 'TestReport/1'),
  stage('test-f', 'test', ['other', 'foreign'], 'TestReport/1'),
];

function tested(name: string, outcomes: readonly number[], kind: PairedTest['kind'] = 'accuracy'): PairedTest {
  const value = outcomes.reduce((sum, outcome) => sum + outcome, 0) / outcomes.length;
  const text = Buffer.from(Float32Array.from(outcomes).buffer).toString('base64');
  const interval = { low: 0, high: 1 };
  return { stage: name, kind, measure: 'top-1', int8: { value, interval }, outcomes: text, bytes: 9 };
}

const fill = (right: number, n: number): number[] => Array.from({ length: n }, (_, index) => Number(index < right));

describe('quantizationPairs', () => {
  it('pairs what began with one float model, and tests on the same examples', () => {
    const tests = [tested('test-p', fill(10, 20)), tested('test-q', fill(16, 20)), tested('test-f', fill(1, 20))];
    const [pair, ...others] = quantizationPairs(stages, tests);
    expect(others).toEqual([]);
    expect(pair).toMatchObject({
      float: 'net',
      ptq: { stage: 'calibrated' },
      qat: { stage: 'trained' },
      verdict: 'worth_it',
    });
    // Six became right and none wrong: 2 * (1/2)^6.
    expect(pair?.gain.p).toBeCloseTo(0.03125, 10);
    expect(pair?.gain.mean).toBeCloseTo(0.3, 10);
    expect(pair?.sentence).toContain('QAT was worth it');
  });

  it('says what is within chance, and what did harm', () => {
    const verdicts = [13, 4].map((right) => {
      const [pair] = quantizationPairs(stages, [tested('test-p', fill(12, 20)), tested('test-q', fill(right, 20))]);
      return pair?.sentence.split(':')[0];
    });
    expect(verdicts).toEqual(['QAT was not worth it', 'QAT did harm']);
  });

  it('takes a smaller error for the better one', () => {
    const errors = (level: number) => Array.from({ length: 50 }, (_, index) => level + (index % 5) / 100);
    const tests = [tested('test-p', errors(2), 'error'), tested('test-q', errors(1), 'error')];
    expect(quantizationPairs(stages, tests)[0]).toMatchObject({ verdict: 'worth_it', gain: { p: null } });
  });

  it('says nothing of records without outcomes, and of one branch alone', () => {
    expect(
      quantizationPairs(stages, [{ ...tested('test-p', [1]), outcomes: undefined }, tested('test-q', [1])]),
    ).toEqual([]);
    expect(quantizationPairs(stages, [tested('test-q', [1, 0])])).toEqual([]);
  });
});
