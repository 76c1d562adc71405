import { runsOption, storeOption } from '../options.ts';
import { out, outputColumns, terminalColors } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addStatus: AddCommand = (program) => {
  program
    .command('status')
    .description('say how far a run is, stage by stage, and which of its stages have changed since')
    .argument('[run]', 'folder or id of the run; default: the newest')
    .addOption(runsOption())
    .addOption(storeOption())
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  qpipe status')
    .action(async (run: string | undefined, { json, ...options }: { runs: string; store: string; json?: true }) => {
      const { status, statusText } = await import('../status.ts');
      const state = await status({ ...options, ...(run !== undefined && { run }) });
      out(json === true ? JSON.stringify(state, null, 2) : statusText(state, outputColumns(), await terminalColors()));
    });
};
