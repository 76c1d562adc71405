/** `report --serve`: what is answered, to whom, and what a reader sees of it. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../src/cli/serve/serve.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import { thisOwner } from '../../src/runner/owner.ts';
import type { RunRecord } from '../../src/runner/record.ts';
import { jsonText, seal } from '../../src/runner/sealed.ts';
import type { TestBrowser } from '../report/browser.ts';
import { hasBrowser, openBrowser } from '../report/browser.ts';
import { config, run, stages, test } from '../report/fixtures.ts';

const runs = mkdtempSync(join(tmpdir(), 'qpipe-serve-'));

function writeRun(change: Partial<RunRecord> & { readonly id: string }): string {
  const folder = join(runs, change.id);
  mkdirSync(join(folder, 'stages/convert'), { recursive: true });
  const resolved = jsonText(config);
  const digest = createHash('sha256').update(resolved).digest('hex');
  writeFileSync(join(folder, 'resolved.json'), resolved);
  writeFileSync(join(folder, 'pipeline.yaml'), 'name: mnist-lenet\n');
  writeFileSync(join(folder, 'run.json'), seal({ ...run, ...change, resolved: `sha256:${digest}` }));
  writeFileSync(join(folder, 'stages/convert/model.tflite'), 'model bytes');
  writeFileSync(join(folder, 'stages/convert/page.html'), '<script>alert(1)</script>');
  return folder;
}

const reached = (top1: number): RunRecord['stages'] => [
  ...run.stages.slice(0, -1),
  {
    ...stages.test,
    metrics: {
      ...test,
      accuracy: { ...test.accuracy, int8: { top1, correct: top1 * 10_000, n: 10_000 } },
      model: { ...test.model, sha256: String(top1 * 100).repeat(32) },
    },
  },
];
const ids = {
  older: '20260101-100000-digits-aaaa',
  newer: '20260102-100000-digits-bbbb',
  sound: '20260103-100000-sound-cccc',
  going: '20260104-100000-digits-dddd',
} as const;

let goingFolder = '';
let address = '';
let port = 0;
const ended = new AbortController();
let serving: Promise<void>;
const faults: Error[] = [];

beforeAll(async () => {
  writeRun({ id: ids.older, pipeline: 'digits', startedAt: '2026-01-01T10:00:00.000Z', stages: reached(0.98) });
  writeRun({ id: ids.newer, pipeline: 'digits', startedAt: '2026-01-02T10:00:00.000Z', stages: reached(0.95) });
  writeRun({
    id: ids.sound,
    pipeline: '<b>sound</b>',
    startedAt: '2026-01-03T10:00:00.000Z',
    status: 'fail',
    stages: [],
  });
  const going = { status: 'running' as const, owner: thisOwner(), stages: [], seconds: 0 };
  goingFolder = writeRun({ id: ids.going, pipeline: 'digits', startedAt: '2026-01-04T10:00:00.000Z', ...going });
  writeFileSync(join(runs, 'secret.txt'), 'not to be read');
  symlinkSync(join(runs, 'secret.txt'), join(runs, ids.older, 'stages/convert/link.txt'));
  address = await new Promise((resolve) => {
    const onFault = (error: Error): void => void faults.push(error);
    serving = serve({ runs, port: 0, signal: ended.signal, onListening: resolve, onFault });
  });
  port = Number(new URL(address).port);
});
afterAll(async () => {
  ended.abort();
  await serving;
  rmSync(runs, { recursive: true });
  expect(faults).toEqual([]);
});

interface Answered {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Not `fetch`, which tidies paths and sets the host itself. */
function ask(path: string, { method = 'GET', host = `127.0.0.1:${port}` } = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers: { host } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const idsIn = (body: string): string[] =>
  [...body.matchAll(/type="checkbox" name="run" value="([^"]+)"/g)].map(([, id]) => id ?? '');

describe('what is answered, and to whom', () => {
  it.each(['evil.example', 'evil.example:80', '127.0.0.1', 'localhost:1', '127.0.0.1.evil.example'])(
    'a request for the host %j is refused',
    async (host) => {
      const { status, body } = await ask('/', { host });
      expect(status).toBe(403);
      expect(body).not.toContain(ids.older);
    },
  );

  it('the host may be called localhost', async () => {
    expect((await ask('/', { host: `localhost:${port}` })).status).toBe(200);
    expect((await ask('/', { host: `[::1]:${port}` })).status).toBe(200);
  });

  it('listens on the loopback address only', async () => {
    // 127.0.0.2 is this machine too: a server of all addresses would answer.
    const refused = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.2', () => {
        socket.destroy();
        resolve('connected');
      });
      socket.on('error', ({ message }) => resolve(message));
    });
    expect(refused).toContain('ECONNREFUSED');
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is refused', async (method) => {
    const { status, headers } = await ask('/', { method });
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  it('HEAD has the head of GET and no body', async () => {
    for (const path of ['/', `/runs/${ids.older}/`, `/runs/${ids.older}/stages/convert/model.tflite`]) {
      const [head, get] = [await ask(path, { method: 'HEAD' }), await ask(path)];
      expect([head.status, head.body]).toEqual([200, '']);
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
    }
  });

  it.each([
    '/../secret.txt', '/runs/../secret.txt', '/runs/%2e%2e/secret.txt', '/runs/..%2fsecret.txt', `/runs/${ids.older}/../../secret.txt`,
    `/runs/${ids.older}/..%2f..%2fsecret.txt`, `/runs/${ids.older}/%2e%2e%2f%2e%2e%2fsecret.txt`, `/runs/${ids.older}/..%5c..%5csecret.txt`,
    `/runs/${ids.older}/stages/convert/link.txt`, '/runs//etc/passwd', '/runs/secret.txt', '/runs/secret.txt/', `/compare?run=..&run=${ids.older}`,
    `/compare?run=../${ids.older}&run=${ids.newer}`, '/%00', '/runs/%E0%A4%A', '//evil.example/', 'http://evil.example/runs/secret.txt',
  ])('no path leads out of the runs: %s', async (path) => {
    const { status, body } = await ask(path);
    expect([400, 404]).toContain(status);
    expect(body).not.toContain('not to be read');
    expect(body).toMatch(/<h1>/);
  }); // prettier-ignore

  it('files of a run are there, and what a stage wrote never is a page of this server', async () => {
    const model = await ask(`/runs/${ids.older}/stages/convert/model.tflite`);
    expect([model.status, model.body]).toEqual([200, 'model bytes']);
    const page = await ask(`/runs/${ids.older}/stages/convert/page.html`);
    expect(page.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
    });
    expect((await ask(`/runs/${ids.older}/resolved.json`)).headers['content-type']).toContain('application/json');
    expect((await ask('/')).headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('a run that was removed meanwhile is said to be gone', async () => {
    const folder = writeRun({ id: '20251231-100000-gone-eeee' });
    expect((await ask('/runs/20251231-100000-gone-eeee/')).status).toBe(200);
    rmSync(folder, { recursive: true });
    for (const path of [
      '/runs/20251231-100000-gone-eeee/',
      '/runs/20251231-100000-gone-eeee/events',
      `/compare?run=20251231-100000-gone-eeee&run=${ids.older}`,
    ]) {
      const { status, body } = await ask(path);
      expect(status).toBe(404);
      expect(body).toContain('It may have been removed since the list was made.');
    }
  });

  it('a damaged run is said to be damaged, and the others are listed', async () => {
    const folder = writeRun({ id: '20251231-100000-damaged-ffff' });
    writeFileSync(join(folder, 'run.json'), '{');
    const { status, body } = await ask('/runs/20251231-100000-damaged-ffff/');
    expect([status, body.includes('not as this version of qpipe wrote it')]).toEqual([500, true]);
    expect(idsIn((await ask('/')).body)).toHaveLength(4);
    rmSync(folder, { recursive: true });
  });

  it('a port that is taken is a diagnostic', async () => {
    const { signal } = new AbortController();
    const second = serve({ runs, port, signal, onListening: () => undefined, onFault: () => undefined });
    const error = await second.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ diagnostics: [{ code: 'port-taken', message: `port ${port} is in use` }] });
  });
});

describe('the command', () => {
  it('says where the page is, serves it, and ends on Ctrl-C with 0', async () => {
    const program = join(import.meta.dirname, '../../bin/qpipe.js');
    const child = spawn(process.execPath, [program, 'report', '--serve', '--port', '0', '--runs', runs]);
    const exited = once(child, 'exit');
    child.stdout.setEncoding('utf8');
    const [line] = (await once(child.stdout, 'data')) as [string]; // a string by its encoding
    const [found = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(line) ?? [];
    const answered = await fetch(found);
    expect([answered.status, idsIn(await answered.text()).length]).toEqual([200, 4]);
    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
  });
});

describe('the list', () => {
  it.each([
    ['/', [ids.going, ids.sound, ids.newer, ids.older]],
    ['/?filter=DIGITS', [ids.going, ids.newer, ids.older]],
    ['/?filter=digits+bbbb', [ids.newer]],
    ['/?status=fail', [ids.sound]],
    ['/?sort=int8', [ids.newer, ids.older, ids.going, ids.sound]],
    ['/?sort=-int8', [ids.older, ids.newer, ids.going, ids.sound]],
    ['/?sort=-started&sort=run', [ids.older, ids.newer, ids.sound, ids.going]],
    ['/?filter=nothing', []],
  ])('%s', async (path, expected) => {
    const { body } = await ask(path);
    const found = idsIn(body);
    // Runs without a result stand last, in whatever order.
    expect(path.includes('int8') ? [...found.slice(0, 2), ...found.slice(2).sort().toReversed()] : found).toEqual(
      path.includes('int8') ? [...expected.slice(0, 2), ...expected.slice(2).toSorted().toReversed()] : expected,
    );
  });

  it('shows names as text, and keeps what was picked', async () => {
    const { body } = await ask(`/?run=${ids.older}&run=${ids.sound}&filter=digits`);
    expect(body).not.toContain('<b>sound');
    expect(body).toContain(`value="${ids.older}" aria-label="pick ${ids.older}" checked`);
    expect(body).toContain(`<input type="hidden" name="run" value="${ids.sound}">`);
    expect((await ask('/')).body).toContain('&lt;b&gt;sound&lt;/b&gt;');
  });

  it('says what to do with fewer than two picked', async () => {
    const { status, body } = await ask(`/compare?run=${ids.older}`);
    expect([status, body.includes('Pick two to 40 runs')]).toEqual([400, true]);
  });
});

const event = (fields: object): void =>
  appendFileSync(
    join(goingFolder, 'events.ndjson'),
    `${JSON.stringify({ time: '2026-01-04T10:00:00.000Z', ...fields })}\n`,
  );
const progress = (step: number): void =>
  event({
    kind: 'stage-progress',
    stage: 'pretrain',
    step,
    totalSteps: 100,
    values: { epoch: 1, epochs: 2, loss: 2 / step },
  });

describe.skipIf(!hasBrowser)('in a browser', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it('runs are filtered, sorted, picked and compared, and a report is opened', async () => {
    const { page, errors, accessibility, geometry } = await browser.visit(address);
    expect(await accessibility()).toEqual([]);
    expect(await geometry()).toEqual([]);
    await page.getByLabel(/contains/).fill('digits');
    await page.keyboard.press('Enter');
    await page.waitForURL(/filter=digits/);
    expect(await page.locator('tbody tr').count()).toBe(3);
    await page.getByLabel(`pick ${ids.newer}`).check();
    await page.getByRole('button', { name: 'int8' }).click();
    await page.waitForURL(/sort=int8/);
    expect(await page.locator('tbody tr a').first().textContent()).toBe(ids.newer);
    expect(await page.getByLabel(`pick ${ids.newer}`).isChecked()).toBe(true);
    await page.getByLabel(`pick ${ids.older}`).check();
    await page.getByRole('button', { name: /Compare/ }).click();
    await page.waitForURL(/compare/);
    expect(await page.locator('.verdict p').first().textContent()).toContain('int8 top-1');
    expect(await accessibility()).toEqual([]);
    await page.getByRole('link', { name: ids.newer }).click();
    await page.waitForURL(`${address}runs/${ids.newer}/`);
    expect(await page.locator('h1').textContent()).toContain('digits');
    expect(errors).toEqual([]);
  });

  it.each([380, 800, 1440])('nothing is cut or outside its box at %d pixels', async (width) => {
    for (const path of ['', `compare?run=${ids.older}&run=${ids.newer}`]) {
      const { geometry, errors, close } = await browser.visit(`${address}${path}`, { width, javascript: true });
      expect([path, await geometry(), errors]).toEqual([path, [], []]);
      await close();
    }
  });

  it('the list follows runs that begin and end, and keeps what is picked', async () => {
    const { page, errors, close } = await browser.visit(`${address}?filter=digits`);
    const rows = page.locator('#live tbody tr');
    expect(await rows.count()).toBe(3);
    await page.getByLabel(`pick ${ids.older}`).check();
    const id = '20260105-100000-digits-eeee';
    const folder = writeRun({ id, pipeline: 'digits', startedAt: '2026-01-05T10:00:00.000Z', stages: reached(0.96) });
    await expect.poll(() => rows.count(), { timeout: 10_000 }).toBe(4);
    expect(await page.locator('#count').textContent()).toBe('4 of 5 runs');
    expect(await page.getByLabel(`pick ${ids.older}`).isChecked()).toBe(true);
    expect(await page.getByLabel(`pick ${id}`).isChecked()).toBe(false);
    rmSync(folder, { recursive: true });
    await expect.poll(() => rows.count(), { timeout: 10_000 }).toBe(3);
    expect(errors).toEqual([]);
    await close();
  });

  it('the curve of a run that goes on grows, and its end leads to the report', async () => {
    event({
      kind: 'run-started',
      schema: 'qpipe-events-1',
      run: ids.going,
      pipeline: 'digits',
      stages: ['pretrain', 'test'],
    });
    event({ kind: 'stage-started', stage: 'pretrain', key: 'k', cached: false });
    for (const step of [1, 2, 3]) progress(step);
    const { page, errors, accessibility } = await browser.visit(`${address}runs/${ids.going}/`);
    const curve = page.locator('#live .charts path').first();
    await expect.poll(() => page.locator('#live').textContent()).toContain('loss 0.6667');
    const before = (await curve.getAttribute('d')) ?? '';
    for (const step of [4, 5, 6, 7]) progress(step);
    await expect.poll(() => page.locator('#live').textContent()).toContain('loss 0.2857');
    const after = (await curve.getAttribute('d')) ?? '';
    const pointsIn = (path: string): number => path.match(/[ML]/g)?.length ?? 0;
    expect(pointsIn(after)).toBeGreaterThan(pointsIn(before));
    expect(await accessibility()).toEqual([]);
    event({ kind: 'run-finished', status: 'pass', seconds: 3 });
    writeRun({
      id: ids.going,
      pipeline: 'digits',
      status: 'pass',
      startedAt: '2026-01-04T10:00:00.000Z',
      stages: reached(0.97),
    });
    await page.getByRole('link', { name: 'its report' }).click();
    expect(await page.locator('.verdict').first().textContent()).toContain('97.00');
    expect(errors).toEqual([]);
  });
});
