import { Option } from 'commander';
import { targetNames } from '../../targets/names.ts';
import type { AddCommand } from './define.ts';
import { out } from '../terminal.ts';

export const addInspect: AddCommand = (program) => {
  program
    .command('inspect')
    .description('show what is in a .tflite, .pb or .safetensors file')
    .argument('<file>', 'file to show')
    .addOption(new Option('--target <name>', 'say of each op why this target does not take it').choices(targetNames))
    .option('--json', 'print everything as JSON, without shortening')
    .addHelpText('after', '\nExample:\n  qpipe inspect model.tflite --target tflm')
    .action(async (file: string, { json, target }: { json?: true; target?: string }) => {
      const { inspect } = await import('../inspect.ts');
      const { inspectionText } = await import('../inspect-text.ts');
      const inspection = inspect(file);
      out(
        json === true
          ? JSON.stringify(inspection, null, 2)
          : inspectionText(inspection, process.stdout.columns || undefined, target),
      );
    });
};
