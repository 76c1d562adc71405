import type { AddCommand } from './define.ts';
import { ageOption, count, runsOption, sizeOption, storeOption } from '../options.ts';
import { untilInterrupted } from '../signals.ts';
import { note, out, outputColumns } from '../terminal.ts';

interface GcCommandOptions {
  readonly keepRuns?: number;
  readonly olderThan?: number;
  readonly maxSize?: number;
  readonly checkpoints?: true;
  readonly dryRun?: true;
  readonly runs: string;
  readonly store: string;
  readonly json?: true;
}

export const addGc: AddCommand = (program, finish) => {
  program
    .command('gc')
    .description('remove stored results that nothing needs any more, and the folders of old runs')
    .option('--keep-runs <count>', 'remove the folders of all but the newest; without it, all runs stay', count)
    .addOption(ageOption('--older-than <time>', 'how long a result must not have been used; default: 30d'))
    .addOption(sizeOption('--max-size <bytes>', 'also remove what was not used for longest, until the store fits'))
    .option('--checkpoints', 'remove the checkpoints of all interrupted trainings, not only old ones')
    .option('--dry-run', 'show what would go, with names and bytes, and remove nothing')
    .addOption(runsOption())
    .addOption(storeOption())
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  qpipe gc --keep-runs 20 --older-than 30d --max-size 20G --dry-run')
    .action(async ({ json, dryRun, checkpoints, ...options }: GcCommandOptions) => {
      const { collectedText, gc } = await import('../gc.ts');
      const { waitingText } = await import('../../runner/lease.ts');
      await untilInterrupted(
        'interrupted; what was removed is gone, nothing is half-removed',
        finish,
        async (signal) => {
          const result = await gc({
            ...options,
            mode: dryRun === true ? 'show' : 'remove',
            checkpoints: checkpoints === true ? 'all' : 'old',
            signal,
            onWait: (holder) => note(`waiting for ${waitingText(holder)}`),
          });
          if (json === true) out(JSON.stringify(result, null, 2));
          else out(collectedText(result, dryRun === true ? 'names' : 'sums', outputColumns()));
        },
      );
    });
};
