import { Argument } from 'commander';
import type { Shell } from '../completion.ts';
import { out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addCompletion: AddCommand = (program) => {
  program
    .command('completion')
    .description('print a script that completes commands and options when Tab is pressed')
    .addArgument(new Argument('<shell>', 'shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', '\nExample:\n  qpipe completion bash >> ~/.bashrc')
    .action(async (shell: Shell) => {
      const { completionScript } = await import('../completion.ts');
      out(completionScript(shell, program).trimEnd());
    });
};
