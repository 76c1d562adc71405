import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import picocolors from 'picocolors';
import { afterAll, describe, expect, it } from 'vitest';
import type { Health } from '../../src/cli/doctor.ts';
import { doctor, healthText, nodeCheck } from '../../src/cli/doctor.ts';
import { makeWorkspace } from '../e2e/workspace.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the doctor', () => {
  it('finds what the main job needs, and names a remedy for what is absent', async () => {
    const { ok, checks } = await doctor({ home: folder, env: { PATH: '' } });
    expect(ok).toBe(true);
    expect(checks.filter(({ need }) => need === 'required').map(({ name, status }) => [name, status])).toEqual([
      ['Node', 'ok'],
      ['WebAssembly', 'ok'],
      ['engine wasm', 'ok'],
    ]);
    expect(checks.find(({ name }) => name === 'engine tensorflow')).toMatchObject({
      status: 'absent',
      remedy: 'qpipe engine install tensorflow',
    });
    expect(checks.find(({ name }) => name === 'Slurm')?.status).toBe('absent');
    expect(checks.find(({ name }) => name === 'LiteRT')?.status).toBe('ok');
    for (const { status, remedy } of checks) expect(remedy === null).toBe(status === 'ok');
  });

  it('finds Slurm by sbatch on PATH', async () => {
    const sbatch = join(folder, 'sbatch');
    writeFileSync(sbatch, '');
    chmodSync(sbatch, 0o755);
    const { checks } = await doctor({ home: folder, env: { PATH: folder } });
    expect(checks.find(({ name }) => name === 'Slurm')).toMatchObject({ status: 'ok', found: sbatch });
  });

  it('accepts the Node of package.json and newer ones only', () => {
    const statusOf = (version: string) => nodeCheck(version, '>=20.19').status;
    expect(['20.19.0', '20.20.2', '22.0.0', '24.21.0'].map(statusOf)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(['20.18.9', '18.20.0'].map(statusOf)).toEqual(['broken', 'broken']);
  });

  it('draws one table, as wide as the terminal at most', () => {
    const health: Health = {
      ok: false,
      checks: [
        { name: 'Node', status: 'ok', need: 'required', found: '20.20.2', remedy: null },
        {
          name: 'engine tensorflow',
          status: 'broken',
          need: 'optional',
          found: '/a/long/path/'.repeat(8),
          remedy: 'qpipe engine install tensorflow --force',
        },
      ],
    };
    const lines = stripVTControlCharacters(healthText(health, 60, picocolors)).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBe(60);
    const cells = lines.map((line) => line.split('│').map((cell) => cell.trim()));
    expect(cells).toContainEqual(['', 'Node', 'ok', '20.20.2', '']);
    const text = cells.map((row) => row[3] ?? '').join('');
    expect(text).toContain('/a/long/path/'.repeat(8));
    expect(healthText(health, Infinity, picocolors)).toContain('remedy: qpipe engine install tensorflow --force');
  });
});

describe('the command', () => {
  const space = makeWorkspace();

  it('prints the checks as JSON and ends with 0 when only optional parts are absent', async () => {
    const { code, stdout } = await space.qpipe('doctor', '--json');
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as Health).ok).toBe(true);
  });
});
