/** Which requests are answered, and where they lead. Nothing here trusts what a browser sends. */
import type { IncomingMessage } from 'node:http';

export type Route =
  | { readonly kind: 'list' | 'list-events'; readonly query: URLSearchParams }
  | { readonly kind: 'compare'; readonly query: URLSearchParams }
  | { readonly kind: 'run' | 'live' | 'events'; readonly run: string }
  | { readonly kind: 'file'; readonly run: string; readonly path: readonly string[] };

/** Why a request is not answered. */
export interface Refusal {
  readonly kind: 'refused';
  readonly status: 400 | 403 | 404 | 405;
  readonly words: string;
}

type Received = Pick<IncomingMessage, 'method' | 'url' | 'headers'>;

export function routeOf({ method, url = '', headers }: Received, port: number): Route | Refusal {
  if (!isOwnHost(headers.host, port)) {
    // A page elsewhere can give its own name the address of this machine (DNS rebinding), but not change this header.
    return refuse(403, 'This server answers to 127.0.0.1 and localhost only.');
  }
  if (method !== 'GET' && method !== 'HEAD')
    return refuse(405, 'This server only shows runs: it answers GET and HEAD.');
  // `//name/` and `http://name/` are other machines to the parser.
  const isPath = /^\/(?!\/)/.test(url) && URL.canParse(url, 'http://localhost');
  const address = isPath ? new URL(url, 'http://localhost') : null;
  const segments = address === null ? null : segmentsOf(address.pathname);
  if (address === null || segments === null) return refuse(400, 'The address is not well formed.');
  return find(segments, address.searchParams);
}

function find([first = '', run = '', ...rest]: readonly string[], query: URLSearchParams): Route | Refusal {
  if (first === '' && run === '') return { kind: 'list', query };
  if (first === 'events' && run === '') return { kind: 'list-events', query };
  if (first === 'compare' && run === '') return { kind: 'compare', query };
  if (first !== 'runs' || !isPlainName(run)) return nowhere;
  const [only] = rest;
  if (rest.length === 1 && only === '') return { kind: 'run', run };
  if (rest.length === 1 && (only === 'live' || only === 'events')) return { kind: only, run };
  return rest.length > 0 && rest.every(isPlainName) ? { kind: 'file', run, path: rest } : nowhere;
}

function isOwnHost(host: string | undefined, port: number): boolean {
  const names = ['127.0.0.1', 'localhost', '[::1]'];
  return names.some((name) => host === `${name}:${port}` || (port === 80 && host === name));
}

/** Decoded after they are parted, so that an encoded slash makes no further folder. */
function segmentsOf(pathname: string): readonly string[] | null {
  try {
    return pathname.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return null;
  }
}

/** Not hidden, nothing above, and nothing that another system takes for a path. */
const isPlainName = (name: string): boolean => name !== '' && !name.startsWith('.') && !/[\\/:\0]/.test(name);

const refuse = (status: Refusal['status'], words: string): Refusal => ({ kind: 'refused', status, words });
const nowhere = refuse(404, 'There is no such page.');
