import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import type { DownloadProgress } from '../../src/data/download.ts';
import { downloadFile, missingFiles } from '../../src/data/download.ts';

// Larger than what a connection holds at once, and no whole number of MiB.
const content = Buffer.alloc(3 * 2 ** 20 + 123, 'qpipe ');
const sha256 = createHash('sha256').update(content).digest('hex');

let folder = '';
let server: Server;
let address = '';
let respond: RequestListener;
let requests = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-'));
  requests = 0;
  respond = (_request, response) => void response.setHeader('content-length', content.length).end(content);
  server = createServer((request, response) => {
    requests++;
    respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port');
  address = `http://127.0.0.1:${bound.port}/data.bin`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const file = () => join(folder, 'sub', 'data.bin');
const left = () => (existsSync(dirname(file())) ? readdirSync(dirname(file())) : []);

function download(digest = sha256, signal = new AbortController().signal, progress: DownloadProgress[] = []) {
  return downloadFile(
    { path: file(), download: { url: address, sha256: digest } },
    { signal, randomHex: () => '0123456789abcdef', onProgress: (state) => progress.push(state) },
  );
}

async function failure(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe('a download', () => {
  it('puts the file in its place, tells how far it is, and leaves nothing else', async () => {
    const progress: DownloadProgress[] = [];
    await download(sha256, undefined, progress);
    expect(readFileSync(file()).equals(content)).toBe(true);
    expect(left()).toEqual(['data.bin']);
    expect(progress[0]).toEqual({ url: address, path: file(), receivedBytes: 0, totalBytes: content.length });
    expect(progress.at(-1)).toMatchObject({ receivedBytes: content.length, totalBytes: content.length });
    // Begin, three whole MiB (a chunk may cross none twice), end.
    expect(progress).toHaveLength(5);
  });

  it('does not need the server to know the length', async () => {
    respond = (_request, response) =>
      void response.write(content.subarray(0, 9), () => response.end(content.subarray(9)));
    const progress: DownloadProgress[] = [];
    await download(sha256, undefined, progress);
    expect(readFileSync(file()).equals(content)).toBe(true);
    expect(progress[0]?.totalBytes).toBeNull();
  });

  it('of something else than was expected keeps nothing', async () => {
    const wrong = 'ab'.repeat(32);
    const error = await failure(download(wrong));
    expect(error.message).toContain(
      `${address} error wrong-digest: the file received has SHA-256 ${sha256}, expected ${wrong}`,
    );
    expect(left()).toEqual([]);
  });

  it('that breaks off keeps nothing and says how far it came', async () => {
    respond = (_request, response) => {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, 2 ** 20), () => response.destroy());
    };
    const error = await failure(download());
    expect(error.message).toMatch(
      new RegExp(`download-failed: the connection broke after \\d+ of ${content.length} bytes[^]*put the file at `),
    );
    expect(left()).toEqual([]);
  });

  it('of what the server does not have says what it answered', async () => {
    respond = (_request, response) => void response.writeHead(404).end('no');
    const error = await failure(download());
    expect(error.message).toContain(`${address} error download-failed: the server answered 404 Not Found`);
    expect(left()).toEqual([]);
  });

  it('follows a redirect', async () => {
    const last = respond;
    respond = (request, response) => {
      if (request.url === '/moved') last(request, response);
      else response.writeHead(302, { location: '/moved' }).end();
    };
    await download();
    expect(readFileSync(file()).equals(content)).toBe(true);
  });

  it('without a network says what to do', async () => {
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(download());
    expect(error.message).toContain('download-failed: the server cannot be reached (ECONNREFUSED)');
    expect(error.message).toContain(`hint: check the network and \`url\`, or put the file at ${file()} yourself`);
    server = createServer().listen(0, '127.0.0.1');
  });

  it('stops when it is told to, and keeps nothing', async () => {
    const abort = new AbortController();
    respond = (_request, response) => {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, 2 ** 20), () => abort.abort(new Error('enough')));
    };
    await expect(download(sha256, abort.signal)).rejects.toThrow('enough');
    expect(left()).toEqual([]);
  });

  it('that another process ended long ago is not made again', async () => {
    const files = [
      { name: 'a', path: file(), download: { url: address, sha256 } },
      { name: 'b', path: join(folder, 'never') },
    ];
    expect(missingFiles(files).map(({ path: missing }) => missing)).toEqual([file()]);
    await download();
    expect(missingFiles(files)).toEqual([]);
    expect(requests).toBe(1);
  });

  it('is not hindered by what a killed process left, and does not take it for the file', async () => {
    await mkdir(dirname(file()));
    await writeFile(`${file()}.fedcba9876543210.part`, content.subarray(0, 1000));
    expect(missingFiles([{ name: 'a', path: file(), download: { url: address, sha256 } }])).toHaveLength(1);
    await download();
    expect(readFileSync(file()).equals(content)).toBe(true);
  });
});
