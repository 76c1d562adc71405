/** The forms of what `qpipe run` prints. */
import type { RunOutput } from './run-output.ts';
import { jsonOutput, textOutput } from './run-output.ts';

export type RunFormat = 'text' | 'github' | 'json';

export const runOutputs: { readonly [F in RunFormat]: () => Promise<RunOutput> } = {
  text: textOutput,
  github: async () => (await import('./github-output.ts')).githubOutput(process.env),
  json: jsonOutput,
};
