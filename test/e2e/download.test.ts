/** Data that a run downloads, from a server on this machine. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { execa } from 'execa';
import * as qpipe from 'qpipe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorkspace, program } from './workspace.ts';

// 32 images of 4 x 4 in two classes: all dark or all bright.
const count = 32;
const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
const pixels = Array.from({ length: count }, (_, index) =>
  new Array<number>(16).fill(index % 2 === 0 ? 10 : 240),
).flat();
const files: Readonly<Record<string, Uint8Array>> = {
  '/images': Uint8Array.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 4, ...pixels]),
  '/labels': Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...labels]),
};
const sha256 = (bytes: Uint8Array | undefined) =>
  createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');

describe('data with an address', () => {
  const space = makeWorkspace();
  let server: Server;
  const requests: string[] = [];

  beforeAll(async () => {
    server = createServer(({ url = '' }, response) => {
      requests.push(url);
      const bytes = files[url];
      if (bytes === undefined) response.writeHead(404).end();
      else response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server has no port');
    const base = `http://127.0.0.1:${bound.port}`;
    const images = `{ path: set/images, url: ${base}/images, sha256: ${sha256(files['/images'])} }`;
    space.write(
      'idx.yaml',
      `version: 1
name: idx
data:
  source: idx
  train_images: ${images}
  train_labels: { path: set/labels, url: ${base}/labels, sha256: ${sha256(files['/labels'])} }
  test_images: set/images
  test_labels: set/labels
model: { layers: [{ kind: flatten }, { kind: fully_connected, units: 2 }] }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: 8 }
`,
    );
  });
  afterAll(() => server.close());

  const options = () => ({ runs: space.file('runs'), store: space.file('store') });

  it('is only a warning of validate while it is not there', async () => {
    const { warnings } = await qpipe.validate(space.file('idx.yaml'));
    expect(warnings.map(({ code }) => code)).toEqual(['not-downloaded', 'not-downloaded']);
    expect(warnings[0]?.message).toMatch(/the file does not exist yet[^]*`qpipe run` downloads it from http/);
    expect([requests, existsSync(space.file('set'))]).toEqual([[], false]);
  });

  it('is downloaded by the first run and found by the next', async () => {
    const first = await space.qpipe('run', 'idx.yaml', '--runs', 'runs', '--store', 'store');
    expect(first.stderr).toMatch(/^downloading http.*\/images\ndownloading http.*\/labels$/);
    expect(first.code).toBe(0);
    expect(requests).toEqual(['/images', '/labels']);
    expect(readFileSync(space.file('set/images'))).toEqual(Buffer.from(files['/images'] ?? []));
    const { record } = await qpipe.run({ pipeline: space.file('idx.yaml'), ...options() });
    expect([record.status, record.stages[0]?.cached, requests.length]).toEqual(['pass', true, 2]);
  });

  it('says how far it is', async () => {
    space.write('third.yaml', space.text('idx.yaml').replaceAll('set/', 'third/'));
    const ends: number[] = [];
    await qpipe.run({
      pipeline: space.file('third.yaml'),
      ...options(),
      onDownload: ({ receivedBytes, totalBytes }) => {
        if (receivedBytes === totalBytes) ends.push(receivedBytes);
      },
    });
    expect(ends).toEqual([files['/images']?.length, files['/labels']?.length]);
  });

  it('is a mistake when another file lies in its place', async () => {
    space.write('set/labels', files['/images'] ?? '');
    await expect(qpipe.run({ pipeline: space.file('idx.yaml'), ...options() })).rejects.toThrow(
      /set\/labels error wrong-digest: [^]*hint: remove the file to download it again/,
    );
  });

  it('is looked for in the folder that QPIPE_DATA or --data names', async () => {
    const download = `download: { url: http://127.0.0.1/x, sha256: ${'ab'.repeat(32)} }`;
    const text = space
      .text('idx.yaml')
      .replace(/ {2}source: idx[^]*?model:/, `  source: cifar10\n  ${download}\nmodel:`);
    const pipeline = space.write('cifar10.yaml', text.replace('units: 2', 'units: 10'));
    const validate = async (...args: string[]) => {
      const options = { cwd: space.folder, env: { QPIPE_DATA: 'from-environment' } };
      return (await execa(process.execPath, [program, 'validate', pipeline, ...args], options)).stderr;
    };
    expect(await validate()).toContain(`${space.file('from-environment/cifar10/cifar-10-binary.tar.gz')} warning`);
    expect(await validate('--data', 'given')).toContain(
      `${space.file('given/cifar10/cifar-10-binary.tar.gz')} warning`,
    );
  });

  it('that the server has lost leaves no run behind', async () => {
    const lost = space.text('idx.yaml').replace('/labels, sha256', '/gone, sha256').replaceAll('set/', 'other/');
    space.write('gone.yaml', lost);
    const runs = space.file('no-runs');
    await expect(qpipe.run({ pipeline: space.file('gone.yaml'), ...options(), runs })).rejects.toThrow(
      /\/gone error download-failed: the server answered 404 Not Found/,
    );
    expect(existsSync(runs)).toBe(false);
  });
});
