import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { integerRanges, quantizeValue } from '../../src/core/affine.ts';
import { createRandom } from '../../src/core/random.ts';
import { deviceCode } from '../../src/export/device-code.ts';

const channels = [
  { name: 'ax', mean: Math.fround(124.68), deviation: Math.fround(855.4) },
  { name: 'b\n*/', mean: 0, deviation: 1 },
  { name: 'wz', mean: -3, deviation: Math.fround(0.01) },
];
const port = { dtype: 'int8', scale: Math.fround(0.0471), zeroPoint: 3 };
const random = createRandom(5, 'measured');
const cases = Array.from({ length: 600 }, (_, at) => ({
  channel: at % 3,
  measured: Math.fround(channels[at % 3]!.mean + channels[at % 3]!.deviation * 16 * (random.float() - 0.5)),
}));

/** As training makes inputs, and as the interpreter takes them. */
const expected = cases.map(({ channel, measured }) => {
  const { mean, deviation } = channels[channel]!;
  return quantizeValue(Math.fround((measured - mean) / deviation), port.scale, port.zeroPoint, integerRanges.int8);
});

const hasCompiler = spawnSync('cc', ['--version']).status === 0;

describe('code for a device', () => {
  it('computes in JavaScript the codes that the model was tested with', () => {
    const { javascript } = deviceCode(channels, port);
    const run = runInNewContext(`${javascript}\ninput`) as (measured: number, channel: number) => number;
    const found = cases.map(({ measured, channel }) => run(measured, channel));
    expect(found.map((code) => code + 0)).toEqual(expected);
    expect(new Set(found).size).toBeGreaterThan(150);
    expect([Math.min(...found), Math.max(...found)]).toEqual([-128, 127]);
  });

  it.skipIf(!hasCompiler)('computes the same in C', () => {
    const folder = mkdtempSync(join(tmpdir(), 'qpipe-code-'));
    const list = cases.map(
      ({ measured, channel }) => `printf("%d\\n", input(${measured.toPrecision(9)}f, ${channel}));`,
    );
    writeFileSync(
      join(folder, 'a.c'),
      `#include <stdio.h>\n${deviceCode(channels, port).c}\nint main() { ${list.join('\n').replaceAll(/(\(-?\d+)f/g, '$1.0f')} return 0; }`,
    );
    expect(spawnSync('cc', ['a.c', '-o', 'a', '-lm'], { cwd: folder, encoding: 'utf8' }).stderr).toBe('');
    const found = spawnSync(join(folder, 'a'), { encoding: 'utf8' }).stdout.trim().split('\n').map(Number);
    rmSync(folder, { recursive: true });
    expect(found).toEqual(expected.map((code) => code + 0));
  });

  it('leaves codes to models that take floats, and says no more than the names of channels can', () => {
    const { c, javascript } = deviceCode(channels, { dtype: 'float32', scale: null, zeroPoint: null });
    expect(c).toContain('return (float)(((double)measured - mean[channel]) / deviation[channel]);');
    expect(c).toContain('// channel: ax, b___, wz\n');
    const run = runInNewContext(`${javascript}\ninput`) as (measured: number, channel: number) => number;
    expect(run(-2.99, 2)).toBeCloseTo(1, 4);
    expect(deviceCode(channels, { ...port, dtype: 'uint8' }).c).toContain(
      'return (uint8_t)(code < 0.0f ? 0.0f : code > 255.0f ? 255.0f : code);',
    );
  });
});
