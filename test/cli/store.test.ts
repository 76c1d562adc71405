/** The commands that look after a store, on one that a run has filled. */
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeWorkspace } from '../e2e/workspace.ts';

const space = makeWorkspace();
const shortRun = ['run', 'tiny.yaml', '--until', 'qat'];

beforeAll(async () => {
  expect((await space.qpipe(...shortRun)).code).toBe(0);
  expect((await space.qpipe(...shortRun, '--set', 'stages.qat.delay=3')).code).toBe(0);
});

const runs = (): string[] => readdirSync(space.file('runs')).filter((name) => name !== 'latest');
const stored = (section: string): string[] => {
  const folder = space.file('.qpipe/store/v1', section);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
};

/** As if the store had not been used for so many days. */
function ageStore(days: number): void {
  const time = new Date(Date.now() - days * 24 * 3_600_000);
  for (const path of ['actions', 'objects', 'preimage', 'memory'].flatMap(stored)) utimesSync(path, time, time);
}

describe('gc', () => {
  it('keeps what runs need, shows with --dry-run what would go, and then removes just that', async () => {
    ageStore(40);
    const idle = await space.qpipe('gc');
    expect([idle.code, stored('actions').length]).toEqual([0, 3]);

    const [oldest = '', newest = ''] = runs().sort();
    const shown = await space.qpipe('gc', '--keep-runs', '1', '--older-than', '4w', '--dry-run');
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(new RegExp(`^${oldest} {2}[\\d.]+.KiB$`, 'm'));
    expect(shown.stdout).toMatch(/^actions\/[0-9a-f]{2}\/[0-9a-f]{64}\.json {2}/m);
    expect(shown.stdout).toMatch(/^would remove \d+ things, [\d.]+.[KM]iB; nothing was removed$/m);
    expect([runs().length, stored('actions').length]).toEqual([2, 3]);

    const done = JSON.parse((await space.qpipe('gc', '--keep-runs', '1', '--older-than', '4w', '--json')).stdout) as {
      removed: { class: string; name: string }[];
    };
    const things = Number(/would remove (\d+)/.exec(shown.stdout)?.[1]);
    expect(done.removed).toHaveLength(things);
    expect(runs()).toEqual([newest]);
    expect(readlinkSync(space.file('runs/latest'))).toBe(newest);
    // pretrain serves both runs; the qat of the older one is gone.
    expect(stored('actions')).toHaveLength(2);
    const next = await space.qpipe(...shortRun, '--set', 'stages.qat.delay=3');
    expect(next.stdout.match(/: cached/g)).toHaveLength(2);
  });

  it('keeps a pinned run until it is unpinned, and says what is pinned to who asks for another', async () => {
    const [id = ''] = runs().sort();
    const pinned = await space.qpipe('pin', `runs/${id}`);
    expect(pinned.stdout).toBe(`pinned ${id}; \`qpipe unpin runs/${id}\` lets it go`);
    expect((await space.qpipe('gc', '--keep-runs', '0')).code).toBe(0);
    expect(runs()).toEqual([id]);
    const other = await space.qpipe('unpin', 'runs/other');
    expect([other.code, other.stderr]).toEqual([
      1,
      `runs/other error not-pinned: the run other is not pinned\n  hint: pinned are: ${id}`,
    ]);
    expect((await space.qpipe('unpin', `runs/${id}`)).code).toBe(0);
  });

  it('says what it does not understand, and where there is no store', async () => {
    for (const [option, value, words] of [
      ['--older-than', '30', 'expected hours, days or weeks'],
      ['--max-size', '20', 'expected a number and a unit'],
      ['--keep-runs', '-1', 'expected a whole number'],
    ] as const) {
      const { code, stderr } = await space.qpipe('gc', option, value);
      expect([code, stderr]).toEqual([64, expect.stringContaining(words)]);
    }
    mkdirSync(space.file('empty'));
    for (const command of [['gc'], ['cache', 'verify'], ['unpin', 'x']]) {
      const { code, stderr } = await space.qpipe(...command, '--store', 'empty');
      expect([code, stderr]).toEqual([1, expect.stringContaining('empty error no-store: there is no store here')]);
    }
    expect(readdirSync(space.file('empty'))).toEqual([]);
  });
});

describe('cache verify', () => {
  it('names each damaged file, sets it aside, and fails; the next time all is well', async () => {
    const whole = await space.qpipe('cache', 'verify');
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringMatching(/^\d+ files checked, none damaged$/)]);
    const [object = ''] = stored('objects');
    rmSync(object);
    writeFileSync(object, 'x');
    const { code, stdout } = await space.qpipe('cache', 'verify');
    expect(code).toBe(1);
    const name = object.slice(space.file('.qpipe/store/v1').length + 1);
    expect(stdout.split('\n')[0]).toMatch(
      new RegExp(`^${name}: its bytes are not those of its name; moved to .*/corrupt/`),
    );
    expect(stdout).toMatch(/^actions\/.*: the file of its output "\w+" is missing; moved to /m);
    expect((await space.qpipe('cache', 'verify')).code).toBe(0);
    expect(await space.qpipe(...shortRun, '--set', 'stages.qat.delay=3')).toMatchObject({ code: 0, stderr: '' });
  });
});
