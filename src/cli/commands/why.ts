import { dataOption, pipelineOption, runsOption, setOption, storeOption } from '../options.ts';
import { out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addWhy: AddCommand = (program) => {
  program
    .command('why')
    .description('say what has changed for a stage since the last run, with the old and the new values')
    .argument('<stage>', 'name of the stage')
    .addOption(pipelineOption())
    .addOption(setOption())
    .addOption(dataOption())
    .addOption(runsOption())
    .addOption(storeOption())
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  qpipe why qat')
    .action(async (stage: string, { json, ...options }: WhyCommandOptions) => {
      const { why, whyText } = await import('../why.ts');
      const answer = await why({ stage, ...options });
      out(json === true ? JSON.stringify(answer, null, 2) : whyText(answer));
    });
};

interface WhyCommandOptions {
  readonly pipeline?: string;
  readonly set: readonly string[];
  readonly data?: string;
  readonly runs: string;
  readonly store: string;
  readonly json?: true;
}
