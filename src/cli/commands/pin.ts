import type { AddCommand } from './define.ts';
import { storeOption } from '../options.ts';
import { out } from '../terminal.ts';

export const addPin: AddCommand = (program) => {
  program
    .command('pin')
    .description('keep a run, and all results that it used, from gc')
    .argument('<run>', 'folder of the run')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  qpipe pin runs/latest')
    .action(async (run: string, { store }: { store: string }) => {
      const { pin } = await import('../pin.ts');
      out(`pinned ${await pin({ run, store })}; \`qpipe unpin ${run}\` lets it go`);
    });
};

export const addUnpin: AddCommand = (program) => {
  program
    .command('unpin')
    .description('let gc remove a run that was pinned')
    .argument('<run>', 'folder of the run, or its name where the folder is gone')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  qpipe unpin runs/latest')
    .action(async (run: string, { store }: { store: string }) => {
      const { unpin } = await import('../pin.ts');
      out(`unpinned ${await unpin({ run, store })}`);
    });
};
