import { runsOption } from '../options.ts';
import { exitCodes } from '../exit-codes.ts';
import { untilInterrupted } from '../signals.ts';
import { out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addLogs: AddCommand = (program, finish) => {
  program
    .command('logs')
    .description('print what a run printed, or what one of its stages did')
    .argument('[run]', 'folder or id of the run; default: the newest')
    .argument('[stage]', 'name of a stage; default: all')
    .option('-f, --follow', 'go on until the run ends, and end with its exit code')
    .addOption(runsOption())
    .addHelpText('after', '\nExamples:\n  qpipe logs -f\n  qpipe logs runs/latest qat')
    .action(async (first: string | undefined, second: string | undefined, { runs, follow }: LogsCommandOptions) => {
      const [{ logs }, { isRun }] = await Promise.all([import('../logs.ts'), import('../find-run.ts')]);
      // A single word may be the stage, which is all that one needs to say of the newest run.
      const isStage = first !== undefined && second === undefined && !isRun(first, runs) && !/[\\/]/.test(first);
      const [run, stage] = isStage ? [undefined, first] : [first, second];
      await untilInterrupted('interrupted; the run itself goes on', finish, async (signal) => {
        const status = await logs({
          ...{ runs, signal, write: out, mode: follow === true ? ('follow' as const) : ('now' as const) },
          ...(run !== undefined && { run }),
          ...(stage !== undefined && { stage }),
        });
        if (follow === true) finish(exitOf[status]);
      });
    });
};

/** As the run itself ends. */
const exitOf = {
  running: exitCodes.ok,
  pass: exitCodes.ok,
  fail: exitCodes.gateNotMet,
  error: exitCodes.failed,
  interrupted: 130,
} as const;

interface LogsCommandOptions {
  readonly runs: string;
  readonly follow?: true;
}
