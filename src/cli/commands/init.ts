import { formatForScreen } from '../../core/diagnostic.ts';
import type { AddCommand } from './define.ts';
import { note, out, screenColumns } from '../terminal.ts';

export const addInit: AddCommand = (program) => {
  program
    .command('init')
    .description('write a pipeline for a folder of examples: source, settings and a small network')
    .argument('<folder>', 'folder, .zip or .tar of the examples, in a folder for each class')
    .option('--out <file>', 'pipeline file to write; default: named after the folder')
    .action(async (folder: string, { out: file }: { out?: string }) => {
      const { init } = await import('../init.ts');
      const result = await init({ folder, ...(file === undefined ? {} : { out: file }) });
      for (const warning of result.warnings) note(formatForScreen(warning, 'warning', screenColumns()));
      for (const sentence of result.found) note(`found ${sentence}`);
      out(`wrote ${result.file} (source ${result.source})`);
      out(`see the data with \`qpipe data ${result.file}\`, train with \`qpipe run ${result.file}\``);
    });
};
