import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { userError } from '../core/diagnostic.ts';
import { writingTo } from '../runner/disk-error.ts';
import { moveDurably, writeDurably } from '../runner/durable.ts';
import type { DataFile, Download } from './dataset.ts';

export interface DownloadProgress {
  readonly url: string;
  /** Where the file will be. */
  readonly path: string;
  readonly receivedBytes: number;
  /** Null while it is not known; at the end it is what was received. */
  readonly totalBytes: number | null;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** At least 16 hex digits, new on every call and in every process. */
  readonly randomHex: () => string;
  /** At the beginning, every MiB, and at the end. */
  readonly onProgress: (progress: DownloadProgress) => void;
}

const progressBytes = 2 ** 20;

export interface MissingFile {
  readonly path: string;
  readonly download: Download;
}

/** The files that are not there and can be downloaded. */
export function missingFiles(files: readonly DataFile[]): readonly MissingFile[] {
  return files.flatMap(({ path, download }) =>
    download === undefined || existsSync(path) ? [] : [{ path, download }],
  );
}

/**
 * Downloads a file. It appears under its name only when it is whole and its SHA-256 is right; what was received of any
 * other is removed.
 *
 * @throws UserError when the server cannot be reached, does not have the file, or sends less or something else; the
 *   signal's reason when it was aborted
 */
export async function downloadFile({ path, download }: MissingFile, options: DownloadOptions): Promise<void> {
  const { url, sha256 } = download;
  const { signal } = options;
  const failed = (message: string) =>
    userError(url, 'download-failed', message, `check the network and \`url\`, or put the file at ${path} yourself`);
  const response = await fetch(url, { signal, headers: { 'accept-encoding': 'identity' } }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw failed(`the server cannot be reached (${causeOf(error)})`);
  });
  const { body } = response;
  if (!response.ok || body === null) {
    await body?.cancel();
    throw failed(`the server answered ${response.status} ${response.statusText}`.trimEnd());
  }
  const length = response.headers.get('content-length');
  const totalBytes = length === null ? null : Number(length);
  const hash = createHash('sha256');

  async function* received(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let receivedBytes = 0;
    const report = (total: number | null): void => options.onProgress({ url, path, receivedBytes, totalBytes: total });
    report(totalBytes);
    try {
      for await (const chunk of chunks) {
        hash.update(chunk);
        const crossed =
          Math.floor((receivedBytes + chunk.length) / progressBytes) > Math.floor(receivedBytes / progressBytes);
        receivedBytes += chunk.length;
        if (crossed) report(totalBytes);
        yield chunk;
      }
    } catch (error) {
      signal.throwIfAborted();
      const all = totalBytes === null ? '' : ` of ${totalBytes}`;
      throw failed(`the connection broke after ${receivedBytes}${all} bytes (${causeOf(error)})`);
    }
    report(receivedBytes);
  }

  const temporary = `${path}.${options.randomHex()}.part`;
  await writingTo(dirname(path), 'the data folder', async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeDurably(temporary, received(body), 0o644);
    const found = hash.digest('hex');
    if (found !== sha256) {
      await rm(temporary, { force: true });
      const message = `the file received has SHA-256 ${found}, expected ${sha256}`;
      throw userError(url, 'wrong-digest', message, 'correct `sha256`, or `url` if its content has changed');
    }
    await moveDurably(temporary, path);
  });
}

/** What `fetch` itself only calls "failed" or "terminated". */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
