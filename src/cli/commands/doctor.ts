import type { AddCommand } from './define.ts';
import { exitCodes } from '../exit-codes.ts';
import { out, outputColumns, terminalColors } from '../terminal.ts';

export const addDoctor: AddCommand = (program, finish) => {
  program
    .command('doctor')
    .description('check this machine: what is installed, what is missing, and how to fix it')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  qpipe doctor')
    .action(async ({ json }: { json?: true }) => {
      const { doctor, healthText } = await import('../doctor.ts');
      const health = await doctor();
      out(
        json === true ? JSON.stringify(health, null, 2) : healthText(health, outputColumns(), await terminalColors()),
      );
      finish(health.ok ? exitCodes.ok : exitCodes.failed);
    });
};
