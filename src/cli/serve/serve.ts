/** `qpipe report --serve`: a page of this machine only, over all runs of a folder. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { hasCode } from '../../runner/claim.ts';
import { userError } from '../../core/diagnostic.ts';
import { answer } from './server.ts';

export const defaultPort = 8417;

export interface ServeOptions {
  /** Folder of the runs; default `runs` in the current folder. */
  readonly runs?: string;
  /** 0 takes any that is free; default 8417. */
  readonly port?: number;
  /** Ends the serving. */
  readonly signal: AbortSignal;
  /** Is told once where the page is. */
  readonly onListening: (address: string) => void;
  /** Is told of our own mistakes; the server goes on. */
  readonly onFault: (error: Error) => void;
}

/**
 * Serves until `signal`, on the loopback address only.
 *
 * @throws UserError when the port is taken or not allowed
 */
export async function serve({
  runs = 'runs',
  port = defaultPort,
  signal,
  onListening,
  onFault,
}: ServeOptions): Promise<void> {
  const server = createServer();
  const actual = await listen(server, port);
  server.on('request', (request, response) => {
    answer(request, response, { runs, port: actual, signal, onFault }).catch((error: unknown) => {
      onFault(error instanceof Error ? error : new Error(String(error)));
      response.destroy();
    });
  });
  onListening(`http://127.0.0.1:${actual}/`);
  if (!signal.aborted) await once(signal, 'abort');
  server.close();
  server.closeAllConnections();
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    const remedy = 'give another with --port, or any that is free with --port 0';
    if (hasCode(error, 'EADDRINUSE')) throw userError('command line', 'port-taken', `port ${port} is in use`, remedy);
    if (hasCode(error, 'EACCES'))
      throw userError('command line', 'port-refused', `port ${port} is not allowed`, remedy);
    throw error;
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
