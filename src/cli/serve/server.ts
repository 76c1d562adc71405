/** Answers requests about the runs of a folder. */
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../core/diagnostic.ts';
import { compareRuns, renderComparisonHtml } from '../../report/compare/index.ts';
import { renderReport } from '../../report/html.ts';
import { buildReport } from '../../report/build-report.ts';
import { eventReader } from '../../runner/event-reader.ts';
import { readComparedRun } from '../compare.ts';
import { ls } from '../ls.ts';
import { readRunFolder } from '../report.ts';
import { toList, wordsPage } from './frame.ts';
import { listPage, listState } from './list-page.ts';
import { follow, liveMarkup, livePage, nothingYet } from './live-page.ts';
import type { Refusal, Route } from './request.ts';
import { routeOf } from './request.ts';

export interface Served {
  /** Folder of the runs. */
  readonly runs: string;
  readonly port: number;
  /** Ends what goes on. */
  readonly signal: AbortSignal;
  /** Is told of our own mistakes. */
  readonly onFault: (error: Error) => void;
}

type Answer =
  | { readonly kind: 'text'; readonly status: number; readonly type: string; readonly text: string }
  | { readonly kind: 'file'; readonly file: string; readonly bytes: number }
  | { readonly kind: 'stream'; readonly send: (response: ServerResponse) => Promise<void> };

/** Nothing from elsewhere may be loaded, sent or framed, and no other page may read what is answered. */
const safety = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

export async function answer(request: IncomingMessage, response: ServerResponse, served: Served): Promise<void> {
  const route = routeOf(request, served.port);
  const found =
    route.kind === 'refused'
      ? refusal(route)
      : await find(route, served).catch((error: unknown) => excuse(error, served));
  const isHead = request.method === 'HEAD';
  switch (found.kind) {
    case 'text': {
      const allow = found.status === 405 ? { allow: 'GET, HEAD' } : {};
      const length = Buffer.byteLength(found.text);
      response.writeHead(found.status, { ...safety, ...allow, 'content-type': found.type, 'content-length': length });
      return void response.end(isHead ? '' : found.text);
    }
    case 'file':
      return sendFile(found.file, found.bytes, response, isHead);
    case 'stream':
      response.writeHead(200, { ...safety, 'content-type': 'text/event-stream; charset=utf-8' });
      if (isHead) return void response.end();
      return found.send(response);
  }
}

const html = (status: number, text: string): Answer => ({
  kind: 'text',
  status,
  type: 'text/html; charset=utf-8',
  text,
});

const refusal = ({ status, words }: Refusal): Answer =>
  html(status, wordsPage(status === 404 ? 'Not found' : 'Not answered', words));

/** Runs may be removed and files damaged while they are looked at: that is said, and the server goes on. */
function excuse(error: unknown, { onFault }: Served): Answer {
  if (error instanceof UserError) {
    const isGone = error.diagnostics.some(({ code }) => code === 'not-a-run');
    const words = isGone
      ? 'There is no such run here. It may have been removed since the list was made.'
      : error.diagnostics.map(({ message, hint }) => [message, hint].filter(Boolean).join('; ')).join('. ');
    return html(isGone ? 404 : 500, wordsPage(isGone ? 'Not found' : 'This run cannot be shown', words));
  }
  onFault(error instanceof Error ? error : new Error(String(error)));
  return html(500, wordsPage('This is a bug in qpipe', 'The terminal of the server says more.'));
}

async function find(route: Route, served: Served): Promise<Answer> {
  const { runs } = served;
  switch (route.kind) {
    case 'list':
      return html(200, listPage(await ls({ runs }), runs, route.query));
    case 'list-events':
      return { kind: 'stream', send: (response) => sendList(route.query, response, served) };
    case 'compare':
      return comparePage(runs, route.query);
    case 'run':
      return runPage(join(runs, route.run));
    case 'live':
      return liveAnswer(join(runs, route.run));
    case 'events':
      await readRunFolder(join(runs, route.run));
      return { kind: 'stream', send: (response) => sendEvents(join(runs, route.run), response, served) };
    case 'file':
      return fileIn(join(runs, route.run), route.path);
  }
}

const mostCompared = 40;

async function comparePage(runs: string, query: URLSearchParams): Promise<Answer> {
  const picked = [...new Set(query.getAll('run'))].filter((id) => !/[\\/:\0]/.test(id) && !id.startsWith('.'));
  if (picked.length < 2 || picked.length > mostCompared) {
    return html(
      400,
      wordsPage('Nothing to compare', `Pick two to ${mostCompared} runs in the list, then compare them.`),
    );
  }
  // Ids begin with the time: the oldest is what the others are compared with.
  const compared = await Promise.all(picked.toSorted().map((id) => readComparedRun(join(runs, id))));
  const links = { run: (id: string) => `/runs/${encodeURIComponent(id)}/`, above: toList };
  return html(200, renderComparisonHtml(compareRuns(compared), links));
}

async function runPage(folder: string): Promise<Answer> {
  const { record, config } = await readRunFolder(folder);
  return record.status === 'running' ? liveAnswer(folder) : html(200, renderReport(buildReport(record, config)));
}

async function liveAnswer(folder: string): Promise<Answer> {
  const { record } = await readRunFolder(folder);
  return html(200, livePage(record, follow(nothingYet, await eventReader(folder)())));
}

const notFound = refusal({ kind: 'refused', status: 404, words: 'The run has no such file.' });

/** A file that lies in the folder of the run, whatever links are in it. */
async function fileIn(folder: string, path: readonly string[]): Promise<Answer> {
  await readRunFolder(folder);
  const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, ...path)).catch(() => null)]);
  if (file === null || !file.startsWith(root + sep)) return notFound;
  const { size, isFile } = await stat(file).then((found) => ({ size: found.size, isFile: found.isFile() }));
  return isFile ? { kind: 'file', file, bytes: size } : notFound;
}

/** What is read as text; everything else is saved, so that nothing a stage wrote runs as a page of this server. */
const types: Readonly<Record<string, string>> = {
  '.json': 'application/json; charset=utf-8',
  '.ndjson': 'text/plain; charset=utf-8',
  '.yaml': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

async function sendFile(file: string, bytes: number, response: ServerResponse, isHead: boolean): Promise<void> {
  const type = types[extname(file)];
  const form =
    type === undefined
      ? { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment' }
      : { 'content-type': type };
  response.writeHead(200, { ...safety, ...form, 'content-length': bytes });
  if (isHead || bytes === 0) return void response.end();
  // As long as was said, also where the file grows meanwhile. A reader that leaves is no mistake.
  await pipeline(createReadStream(file, { end: bytes - 1 }), response).catch(() => response.destroy());
}

const pollMs = 400;

/** Ends when the server does or nobody listens any more. */
function untilLeft(response: ServerResponse, signal: AbortSignal): AbortSignal {
  const left = new AbortController();
  response.once('close', () => left.abort());
  return AbortSignal.any([signal, left.signal]);
}

const listPollMs = 1000;

/** Says the list anew whenever a run has begun, gone on or ended. */
async function sendList(query: URLSearchParams, response: ServerResponse, { runs, signal }: Served): Promise<void> {
  const ends = untilLeft(response, signal);
  let [seen, sent] = ['', ''];
  while (!ends.aborted) {
    // Reading every record is dear where there are many runs: first only whether one was written to.
    const signs = await signsOf(runs);
    if (signs !== seen) {
      const text = JSON.stringify(listState(await ls({ runs }), query));
      if (text !== sent) response.write(`event: state\ndata: ${text}\n\n`);
      [seen, sent] = [signs, text];
    }
    await sleep(listPollMs, undefined, { signal: ends }).catch(() => undefined);
  }
  response.end();
}

/** When which run was last written to. */
async function signsOf(runs: string): Promise<string> {
  const names = await readdir(runs).catch(() => []);
  const times = names.flatMap((name) =>
    ['run.json', 'events.ndjson'].map(async (file) => {
      const { mtimeMs } = await stat(join(runs, name, file)).catch(() => ({ mtimeMs: 0 }));
      return `${name}/${file} ${mtimeMs}`;
    }),
  );
  return (await Promise.all(times)).join('\n');
}

/** Draws the run anew whenever it has said something, until it ends or nobody looks. */
async function sendEvents(folder: string, response: ServerResponse, { signal }: Served): Promise<void> {
  const ends = untilLeft(response, signal);
  const read = eventReader(folder);
  let [state, sent] = [nothingYet, ''];
  while (!ends.aborted) {
    // Before the events, so that what the run wrote at its end is among them.
    const record = await readRunFolder(folder)
      .then((found) => found.record)
      .catch(() => null);
    state = follow(state, await read());
    const text = JSON.stringify(liveMarkup(state, record?.status ?? 'interrupted').markup);
    if (text !== sent) response.write(`event: state\ndata: ${text}\n\n`);
    sent = text;
    if (record === null || record.status !== 'running') {
      response.write('event: ended\ndata: \n\n');
      break;
    }
    await sleep(pollMs, undefined, { signal: ends }).catch(() => undefined);
  }
  response.end();
}
