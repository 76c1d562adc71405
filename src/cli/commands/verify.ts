import { exitCodes } from '../exit-codes.ts';
import { dataOption, pipelineOption, runsOption, setOption, stagesOption, storeOption } from '../options.ts';
import { untilInterrupted } from '../signals.ts';
import { note, out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addVerify: AddCommand = (program, finish) => {
  program
    .command('verify')
    .description('run stages whose results are stored again, and compare the digests of what they write')
    .addOption(stagesOption('--rebuild <stages>', 'the stages to run; default: all'))
    .addOption(pipelineOption())
    .addOption(setOption())
    .addOption(dataOption())
    .addOption(runsOption())
    .addOption(storeOption())
    .option('--json', 'print the digests as JSON')
    .addHelpText('after', '\nExample:\n  qpipe verify --rebuild convert')
    .action(async ({ json, ...options }: VerifyCommandOptions) => {
      const { verify } = await import('../verify.ts');
      await untilInterrupted('interrupted; the stored results are as they were', finish, async (signal) => {
        const verified = await verify({ ...options, signal, onStage: (name) => note(`${name}: running again`) });
        const outputs = verified.flatMap(({ stage, outputs: of }) => of.map((output) => ({ stage, ...output })));
        if (json === true) out(JSON.stringify(outputs, null, 2));
        else for (const output of outputs) out(outputText(output));
        finish(outputs.every(({ stored, now }) => stored === now) ? exitCodes.ok : exitCodes.failed);
      });
    });
};

function outputText({ stage, output, stored, now }: Readonly<Record<'stage' | 'output' | 'stored' | 'now', string>>) {
  const same = `${stage}: ${output} has the same bytes`;
  return stored === now ? same : `${stage}: ${output} DIFFERS: ${stored} is stored, ${now} was written now`;
}

interface VerifyCommandOptions {
  readonly rebuild?: readonly string[];
  readonly pipeline?: string;
  readonly set: readonly string[];
  readonly data?: string;
  readonly runs: string;
  readonly store: string;
  readonly json?: true;
}
