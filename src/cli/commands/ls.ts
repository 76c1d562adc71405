import { runsOption, wholeNumber } from '../options.ts';
import { out, outputColumns, terminalColors } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addLs: AddCommand = (program) => {
  program
    .command('ls')
    .description('list the runs of a folder, the newest first')
    .option('--limit <count>', 'how many of them; default: 20', wholeNumber)
    .addOption(runsOption())
    .option('--json', 'print the list as JSON')
    .addHelpText('after', '\nExample:\n  qpipe ls --limit 5')
    .action(async ({ runs, limit = 20, json }: { runs: string; limit?: number; json?: true }) => {
      const { ls, lsText } = await import('../ls.ts');
      const listed = await ls({ runs, limit });
      out(json === true ? JSON.stringify(listed, null, 2) : lsText(listed, outputColumns(), await terminalColors()));
    });
};
