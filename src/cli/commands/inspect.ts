import { writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import { targetNames } from '../../targets/names.ts';
import type { AddCommand } from './define.ts';
import { note, out } from '../terminal.ts';

export const addInspect: AddCommand = (program) => {
  program
    .command('inspect')
    .description('show what is in a .tflite, .pb or .safetensors file')
    .argument('<file>', 'file to show')
    .addOption(new Option('--target <name>', 'say of each op why this target does not take it').choices(targetNames))
    .option('--html <file>', 'write a page: the graph drawn, quantization of every tensor, weights, devices')
    .option('--json', 'print everything as JSON, without shortening')
    .addHelpText(
      'after',
      '\nExamples:\n  qpipe inspect model.tflite --target tflm\n  qpipe inspect model.tflite --html model.html',
    )
    .action(async (file: string, { json, html, target }: { json?: true; html?: string; target?: string }) => {
      if (html !== undefined) {
        const [{ inspectPage }, { writingTo }] = await Promise.all([
          import('../inspect-page.ts'),
          import('../../runner/disk-error.ts'),
        ]);
        const page = inspectPage(file);
        await writingTo(html, 'the page', () => writeFile(html, page));
        return note(`wrote ${html}`);
      }
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
