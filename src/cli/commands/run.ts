import type { Command } from 'commander';
import { Option } from 'commander';
import { userError } from '../../core/diagnostic.ts';
import { onInterrupt } from '../signals.ts';
import type { AddCommand } from './define.ts';
import { exitCodes } from '../exit-codes.ts';
import { dataOption, runsOption, setOption, stagesOption, storeOption, wholeNumber } from '../options.ts';
import { note, out } from '../terminal.ts';

export const addRun: AddCommand = (program, finish) => {
  program
    .command('run')
    .description('run a pipeline; stored results of stages are reused')
    .argument('[pipeline]', 'pipeline file')
    .addOption(setOption())
    .option('--engine <name>', "engine to use instead of the pipeline's: wasm, tensorflow or reference")
    .addOption(dataOption())
    .addOption(runsOption())
    .addOption(storeOption())
    .option('--threads <count>', 'number of engine threads, at most one per core; default: all cores', wholeNumber)
    .addOption(stagesOption('--from <stages>', 'run these stages and all after them; those before must have results'))
    .addOption(stagesOption('--until <stages>', 'run these stages and all before them'))
    .addOption(stagesOption('--only <stages>', 'run these stages alone; those before must have results'))
    .addOption(stagesOption('--force <stages>', 'run these stages again even if their results are stored'))
    .option('-j, --jobs <count>', 'number of stages that run at once, which share the cores; default: 1', wholeNumber)
    .option('--keep-going', 'when a stage fails, still run those that do not need it')
    .option('--resume <run>', 'folder of a run: use its pipeline as it was then, whatever the file says now')
    .option('--no-cache', 'neither take results from the store nor keep them there')
    .option('--verify', 'run also stages that are stored, and compare what they write; exit code 1 if it differs')
    .option('--no-wait', 'fail when another run makes a result that this one needs, instead of waiting for it')
    .option('--dry-run', 'say what each stage would do, and why; run and write nothing')
    .option('--check', 'with --dry-run: exit code 3 if a stage would run')
    .addOption(
      new Option('--format <format>', 'what to print; github: annotations, groups and the summary of a workflow')
        .choices(['text', 'github'])
        .default('text'),
    )
    .addOption(new Option('--json', 'print only events, as JSON lines').conflicts('format'))
    .addHelpText(
      'after',
      '\nExamples:\n  qpipe run lenet.yaml --set stages.qat.delay=1000\n  qpipe run lenet.yaml --from qat -j 2',
    )
    .action(async (pipeline: string | undefined, options: RunCommandOptions, command: Command) => {
      // The environment may name a folder of data sets too, which is no wish to change the run.
      const data = command.getOptionValueSource('data') === 'cli' ? options.data : undefined;
      const changes = [pipeline, ...options.set, options.engine, data].filter((change) => change !== undefined);
      checkWhat(pipeline, changes, options);
      finish(await (options.dryRun === true ? dryRunCommand : runCommand)(pipeline ?? '', options));
    });
};

interface RunCommandOptions {
  readonly set: readonly string[];
  readonly engine?: string;
  readonly data?: string;
  readonly runs: string;
  readonly store: string;
  readonly threads?: number;
  readonly force?: readonly string[];
  readonly from?: readonly string[];
  readonly until?: readonly string[];
  readonly only?: readonly string[];
  readonly jobs?: number;
  readonly keepGoing?: true;
  readonly resume?: string;
  readonly cache: boolean;
  readonly wait: boolean;
  readonly verify?: true;
  readonly dryRun?: true;
  readonly check?: true;
  readonly format: 'text' | 'github';
  readonly json?: true;
}

/** Either a file, with changes, or the pipeline of a run as it was. */
function checkWhat(
  pipeline: string | undefined,
  changes: readonly string[],
  { resume, dryRun }: RunCommandOptions,
): void {
  const fail = (message: string, hint: string) => {
    throw userError('command line', 'bad-arguments', message, hint, exitCodes.badInput);
  };
  if (pipeline === undefined && resume === undefined) {
    fail('no pipeline was named', 'give a pipeline file, or with `--resume` the folder of a run');
  }
  if (resume === undefined) return;
  if (changes.length > 0)
    fail('`--resume` uses the pipeline of a run as it was', 'leave out the file, `--set`, `--engine` and `--data`');
  if (dryRun === true) fail('`--dry-run` is about a pipeline file', 'leave out `--resume`');
}

async function dryRunCommand(pipeline: string, options: RunCommandOptions): Promise<number> {
  const { dryRun, dryRunText } = await import('../dry-run.ts');
  const { engine, set, check, json } = options;
  const engineSet = engine === undefined ? [] : [`engine=${engine}`];
  const stages = await dryRun({ ...options, pipeline, set: [...set, ...engineSet] });
  out(json === true ? JSON.stringify(stages, null, 2) : dryRunText(stages));
  return check === true && stages.some(({ state }) => state !== 'stored') ? exitCodes.wouldRun : exitCodes.ok;
}

async function runCommand(pipeline: string, options: RunCommandOptions): Promise<number> {
  const [{ run }, { Interrupted }, { runOutputs }] = await Promise.all([
    import('../run.ts'),
    import('../../runner/execute.ts'),
    import('../run-formats.ts'),
  ]);
  const output = await runOutputs[options.json === true ? 'json' : options.format]();
  const interruption = onInterrupt();
  try {
    const { json: _json, format: _format, dryRun: _dryRun, check: _check, ...wanted } = options;
    const { keepGoing, wait, cache, verify, ...others } = wanted;
    const { resume, set, engine, data, ...settings } = others;
    const what =
      resume === undefined
        ? { pipeline, set, ...(engine !== undefined && { engine }), ...(data !== undefined && { data }) }
        : { resume };
    const result = await run({
      ...what,
      ...settings,
      cache: cache ? 'on' : 'off',
      ...(keepGoing === true && { failures: 'keep-going' }),
      ...(verify === true && { results: 'verify' }),
      signal: interruption.signal,
      busy: wait ? 'wait' : 'fail',
      onEvent: output.event,
      onDownload: output.download,
      onWarning: output.warning,
    });
    await output.finish();
    output.result(result);
    const { warnings } = result.record;
    if (verify === true && warnings.some(({ code }) => code === 'nondeterminism')) return exitCodes.failed;
    return result.record.status === 'fail' ? exitCodes.gateNotMet : exitCodes.ok;
  } catch (error) {
    await output.finish();
    if (!(error instanceof Interrupted)) {
      output.failure(error);
      throw error;
    }
    note('interrupted; results of finished stages are kept, and a training goes on where it was');
    return interruption.exitCode();
  } finally {
    interruption.end();
  }
}
