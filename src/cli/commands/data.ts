import type { AddCommand } from './define.ts';
import { dataOption, setOption } from '../options.ts';
import { note, out, outputColumns, terminalColors } from '../terminal.ts';

export const addData: AddCommand = (program) => {
  program
    .command('data')
    .description('show what the data of a pipeline are: classes, counts, ranges, odd files, equal examples')
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .option('--json', 'print everything as JSON, without shortening')
    .addHelpText('after', '\nExample:\n  qpipe data lenet.yaml')
    .action(async (pipeline: string, { set, data, json }: { set: string[]; data?: string; json?: true }) => {
      const [{ describeData }, { dataText }] = await Promise.all([import('../data.ts'), import('../data-text.ts')]);
      const { matrixNote } = await import('../matrix-note.ts');
      const cell = await matrixNote(pipeline, set, data);
      if (cell !== null) note(cell);
      const description = await describeData(pipeline, set, data);
      if (json === true) return out(JSON.stringify(description, null, 2));
      const { dim } = await terminalColors();
      out(dataText(description, outputColumns(), dim));
    });
};
