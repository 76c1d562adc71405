import type { AddCommand } from './define.ts';
import { out, outputColumns, terminalColors } from '../terminal.ts';

export const addReport: AddCommand = (program) => {
  program
    .command('report')
    .description('write the report of a run again')
    .argument('[run]', 'folder of the run', 'runs/latest')
    .addHelpText('after', '\nExample:\n  qpipe report runs/latest')
    .action(async (folder: string) => {
      const { writeReport } = await import('../report.ts');
      const { summaryText } = await import('../summary.ts');
      const report = await writeReport(folder);
      out(summaryText(report, folder, outputColumns(), await terminalColors()));
    });
};
