import { relative } from 'node:path';
import type { Diagnostic } from '../../core/diagnostic.ts';
import { formatForScreen } from '../../core/diagnostic.ts';
import { onInterrupt } from '../signals.ts';
import type { AddCommand } from './define.ts';
import { exitCodes } from '../exit-codes.ts';
import { dataOption, names, setOption, wholeNumber } from '../options.ts';
import { note, out, outputColumns, screenColumns, terminalColors } from '../terminal.ts';

export const addRun: AddCommand = (program, finish) => {
  program
    .command('run')
    .description('run a pipeline; stored results of stages are reused')
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .option('--engine <name>', "engine to use instead of the pipeline's: wasm, tensorflow or reference")
    .addOption(dataOption())
    .option('--runs <folder>', 'folder for runs', 'runs')
    .option('--store <folder>', 'folder for stored results', '.qpipe/store')
    .option('--threads <count>', 'number of engine threads, at most one per core; default: all cores', wholeNumber)
    .option('--force <stages>', 'stages, separated by commas, to run again even if their results are stored', names)
    .option('--no-wait', 'fail when another run makes a result that this one needs, instead of waiting for it')
    .option('--json', 'print only events, as JSON lines')
    .action(async (pipeline: string, options: RunCommandOptions) => finish(await runCommand(pipeline, options)));
};

interface RunCommandOptions {
  readonly set: readonly string[];
  readonly engine?: string;
  readonly data?: string;
  readonly runs: string;
  readonly store: string;
  readonly threads?: number;
  readonly force?: readonly string[];
  readonly wait: boolean;
  readonly json?: true;
}

async function runCommand(pipeline: string, options: RunCommandOptions): Promise<number> {
  const [{ run }, { downloadNotes, jsonProgress, plainProgress, terminalProgress }, { summaryText }, { Interrupted }] =
    await Promise.all([
      import('../run.ts'),
      import('../progress.ts'),
      import('../summary.ts'),
      import('../../runner/execute.ts'),
    ]);
  const colors = await terminalColors();
  const progress =
    options.json === true
      ? jsonProgress(out)
      : process.stdout.isTTY
        ? terminalProgress(process.stdout)
        : plainProgress(out);
  const interruption = onInterrupt();
  try {
    const { force, threads, engine, set, data, runs, store, wait } = options;
    const showDownload = downloadNotes(process.stderr);
    const { record, report, folder } = await run({
      pipeline,
      set,
      runs,
      store,
      signal: interruption.signal,
      force: force ?? [],
      busy: wait ? 'wait' : 'fail',
      ...(threads === undefined ? {} : { threads }),
      ...(engine === undefined ? {} : { engine }),
      ...(data === undefined ? {} : { data }),
      onEvent: (event) => progress.show(event),
      onDownload: (state) => {
        if (options.json === true) out(JSON.stringify({ kind: 'download', ...state }));
        else showDownload(state);
      },
      onWarning: (warning: Diagnostic) => {
        if (options.json === true) out(JSON.stringify({ kind: 'warning', diagnostic: warning }));
        else note(formatForScreen(warning, 'warning', screenColumns()));
      },
    });
    await progress.finish();
    if (options.json !== true) {
      out(summaryText(report, relative('.', folder), outputColumns(), colors));
    }
    return record.status === 'fail' ? exitCodes.gateNotMet : exitCodes.ok;
  } catch (error) {
    await progress.finish();
    if (!(error instanceof Interrupted)) throw error;
    note('interrupted; results of finished stages are kept');
    return interruption.exitCode();
  } finally {
    interruption.end();
  }
}
