import os from 'node:os';
import { join, resolve } from 'node:path';

/** The folder that qpipe keeps for all pipelines: `QPIPE_HOME`, by default `~/.cache/qpipe`. */
export function qpipeHome(env: NodeJS.ProcessEnv = process.env): string {
  // An empty variable counts as unset, as in the XDG specification.
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return resolve(given('QPIPE_HOME') ?? join(given('XDG_CACHE_HOME') ?? join(os.homedir(), '.cache'), 'qpipe'));
}
