import { existsSync } from 'node:fs';
import { userError } from '../../core/diagnostic.ts';
import type { AddCommand } from './define.ts';
import { note, noteDiagnostic, out } from '../terminal.ts';

export const addInit: AddCommand = (program, finish) => {
  program
    .command('init')
    .description('write a pipeline for a folder of examples: source, settings and a small network')
    .argument('[folder]', 'folder, .zip or .tar of the examples, in a folder for each class; asked for in a terminal')
    .option('--out <file>', 'pipeline file to write; default: named after the folder')
    .option('--yes', 'ask nothing')
    .addHelpText('after', '\nExample:\n  qpipe init photos --out photos.yaml')
    .action(async (given: string | undefined, { out: file, yes }: { out?: string; yes?: true }) => {
      const { init } = await import('../init.ts');
      const canAsk = yes !== true && process.stdin.isTTY && process.stdout.isTTY;
      const folder = given ?? (canAsk ? await askForFolder() : missingFolder());
      if (folder === null) {
        note('interrupted; nothing was written');
        return finish(130);
      }
      const result = await init({ folder, ...(file === undefined ? {} : { out: file }) });
      for (const warning of result.warnings) noteDiagnostic(warning, 'warning');
      for (const sentence of result.found) note(`found ${sentence}`);
      out(`wrote ${result.file} (source ${result.source})`);
      out(`see the data with \`qpipe data ${result.file}\`, train with \`qpipe run ${result.file}\``);
    });
};

/** Null after Ctrl-C. */
async function askForFolder(): Promise<string | null> {
  const { isCancel, text } = await import('@clack/prompts');
  const answer = await text({
    message: 'Where are the examples? (a folder, .zip or .tar, in it a folder for each class)',
    validate: (path) => (path !== undefined && existsSync(path) ? undefined : 'there is no such folder or archive'),
  });
  return isCancel(answer) ? null : answer;
}

function missingFolder(): never {
  const hint = 'name it: `qpipe init FOLDER`; in a terminal, and without `--yes`, it is asked for';
  throw userError('command line', 'missing-folder', 'no folder of examples is named', hint, 64);
}
