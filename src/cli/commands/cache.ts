import { counted } from '../../core/words.ts';
import type { AddCommand } from './define.ts';
import { exitCodes } from '../exit-codes.ts';
import { storeOption } from '../options.ts';
import { untilInterrupted } from '../signals.ts';
import { out } from '../terminal.ts';

export const addCache: AddCommand = (program, finish) => {
  program
    .command('cache')
    .description('look after the stored results')
    .command('verify')
    .description('read every file of the store and set aside those that are damaged; what they were of is made again')
    .addOption(storeOption())
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  qpipe cache verify')
    .action(async ({ store, json }: { store: string; json?: true }) => {
      const { faultText, verifyCache } = await import('../cache.ts');
      await untilInterrupted('interrupted; the rest was not looked at', finish, async (signal) => {
        const result = await verifyCache({
          store,
          signal,
          onFault: (fault) => json === true || out(faultText(fault)),
        });
        const { checked, faults } = result;
        if (json === true) out(JSON.stringify(result, null, 2));
        else out(`${counted(checked, 'file')} checked, ${faults.length === 0 ? 'none' : faults.length} damaged`);
        finish(faults.length === 0 ? exitCodes.ok : exitCodes.failed);
      });
    });
};
