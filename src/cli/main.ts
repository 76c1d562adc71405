import { relative } from 'node:path';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Diagnostic } from '../core/diagnostic.ts';
import { formatForScreen, UserError } from '../core/diagnostic.ts';
import { counted } from '../core/words.ts';
import { levels } from '../graph/graph.ts';
import type { Level } from '../graph/graph.ts';
import { machineError } from '../runner/disk-error.ts';
import { runtimeNames } from './runtime-names.ts';
import type { RuntimeName } from './runtime-names.ts';
import { onInterrupt, watchOutput } from './signals.ts';
import { packageVersion } from '../core/version.ts';
import { targetNames } from '../targets/names.ts';

/** Exit codes of the process. */
const exitCodes = { ok: 0, failed: 1, gateNotMet: 2, badInput: 64 } as const;

const out = (text: string): void => void process.stdout.write(`${text}\n`);
const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** Width of the terminal that messages are written to; 80 if it is not a terminal or its width is unknown. */
const screenColumns = (): number => (process.stderr.columns > 0 ? process.stderr.columns : 80);

/** Width of the terminal that results are written to; a file or a pipe has none. */
const outputColumns = (): number => (process.stdout.isTTY ? process.stdout.columns : Infinity);

/** `stages` as written on the command line: separated by commas, optionally with spaces. */
const names = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

const setOption = () =>
  new Option('--set <path=value>', 'change a setting, for example stages.qat.delay=1000; may be repeated')
    .argParser(collect)
    .default([], 'none');

const dataOption = () =>
  new Option(
    '--data <folder>',
    'folder of data sets that have no path in the pipeline; default: data, else ../shared/data',
  ).env('QPIPE_DATA');

function makeProgram(finish: (code: number) => void): Command {
  const program = new Command('qpipe')
    .description(
      'Turn one YAML file into a true int8 .tflite model, with a report of what quantization cost and where.',
    )
    .version(packageVersion(), '--version', 'print the version')
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });

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
    .option('--json', 'print only events, as JSON lines')
    .action(async (pipeline: string, options: RunCommandOptions) => finish(await runCommand(pipeline, options)));

  program
    .command('validate')
    .description('check a pipeline and its data without running it')
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .option('--json', 'print the result as JSON')
    .action(async (pipeline: string, { set, data, json }: { set: string[]; data?: string; json?: true }) => {
      const [{ sizeText, validate }, { wrap }] = await Promise.all([
        import('./validate.ts'),
        import('../report/text-table.ts'),
      ]);
      const result = await validate(pipeline, set, data);
      if (json === true) return out(JSON.stringify(result, null, 2));
      for (const warning of result.warnings) note(formatForScreen(warning, 'warning', screenColumns()));
      const valid = `${pipeline} is valid: ${result.stages.map(({ name, kind }) => `${name} (${kind})`).join(', ')}`;
      out(wrap(valid, outputColumns()).join('\n'));
      for (const size of result.sizes) out(wrap(sizeText(size), outputColumns()).join('\n'));
      if (result.data === null) return;
      const { training, validation, classes } = result.data;
      const inClasses = classes.length === 0 ? '' : `, ${counted(classes.length, 'class', 'classes')}`;
      const found = `data: ${counted(training, 'example')} for training, ${validation} for validation${inClasses}; \`qpipe data ${pipeline}\` shows more`;
      out(wrap(found, outputColumns()).join('\n'));
    });

  program
    .command('data')
    .description('show what the data of a pipeline are: classes, counts, ranges, odd files, equal examples')
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .option('--json', 'print everything as JSON, without shortening')
    .action(async (pipeline: string, { set, data, json }: { set: string[]; data?: string; json?: true }) => {
      const [{ describeData }, { dataText }] = await Promise.all([import('./data.ts'), import('./data-text.ts')]);
      const description = await describeData(pipeline, set, data);
      if (json === true) return out(JSON.stringify(description, null, 2));
      const { dim } = await terminalColors();
      out(dataText(description, outputColumns(), dim));
    });

  program
    .command('init')
    .description('write a pipeline for a folder of examples: source, settings and a small network')
    .argument('<folder>', 'folder, .zip or .tar of the examples, in a folder for each class')
    .option('--out <file>', 'pipeline file to write; default: named after the folder')
    .action(async (folder: string, { out: file }: { out?: string }) => {
      const { init } = await import('./init.ts');
      const result = await init({ folder, ...(file === undefined ? {} : { out: file }) });
      for (const warning of result.warnings) note(formatForScreen(warning, 'warning', screenColumns()));
      for (const sentence of result.found) note(`found ${sentence}`);
      out(`wrote ${result.file} (source ${result.source})`);
      out(`see the data with \`qpipe data ${result.file}\`, train with \`qpipe run ${result.file}\``);
    });

  program
    .command('compare')
    .description('show what differs between two runs, and its effect')
    .argument('<a>', 'folder of a run')
    .argument('<b>', 'folder of another run')
    .option('--all', 'also show settings and metrics that are equal')
    .option('--html <file>', 'also write the comparison as an HTML page')
    .option('--json', 'print the comparison as JSON')
    .action(async (a: string, b: string, { all, html, json }: { all?: true; html?: string; json?: true }) => {
      const { compare, comparisonText } = await import('./compare.ts');
      const comparison = await compare({
        a,
        b,
        rows: all === true ? 'all' : 'differing',
        ...(html === undefined ? {} : { html }),
      });
      if (json === true) return out(JSON.stringify(comparison, null, 2));
      const color = process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? 'color' : 'plain';
      out(comparisonText(comparison, { color, width: process.stdout.isTTY ? process.stdout.columns : 120 }));
      if (html !== undefined) note(`wrote ${html}`);
    });

  program
    .command('report')
    .description('write the report of a run again')
    .argument('[run]', 'folder of the run', 'runs/latest')
    .action(async (folder: string) => {
      const { writeReport } = await import('./report.ts');
      const { summaryText } = await import('./summary.ts');
      const report = await writeReport(folder);
      out(summaryText(report, folder, outputColumns(), await terminalColors()));
    });

  program
    .command('inspect')
    .description('show what is in a .tflite, .pb or .safetensors file')
    .argument('<file>', 'file to show')
    .addOption(new Option('--target <name>', 'say of each op why this target does not take it').choices(targetNames))
    .option('--json', 'print everything as JSON, without shortening')
    .action(async (file: string, { json, target }: { json?: true; target?: string }) => {
      const { inspect } = await import('./inspect.ts');
      const { inspectionText } = await import('./inspect-text.ts');
      const inspection = inspect(file);
      out(
        json === true
          ? JSON.stringify(inspection, null, 2)
          : inspectionText(inspection, process.stdout.columns || undefined, target),
      );
    });

  program
    .command('predict')
    .description('run any .tflite model on .npy arrays')
    .argument('<model>', '.tflite file')
    .addOption(
      new Option(
        '--input <[name=]file>',
        '.npy file of one example or a batch; for several inputs, repeat the option with their names',
      )
        .argParser((value: string, values?: readonly string[]) => [...(values ?? []), value])
        .makeOptionMandatory(),
    )
    .requiredOption('--output <file>', '.npy file to write, or a folder for several outputs')
    .addOption(
      new Option(
        '--runtime <name>',
        'reference: the integers of a microcontroller (TFLM); wasm: the same, faster; litert: those of a phone or browser ' +
          "(LiteRT, XNNPACK); litert-reference: those of LiteRT's reference kernels; default: reference, or litert for " +
          'models that only it runs',
      ).choices([...runtimeNames]),
    )
    .option('--dequantize', 'write float32 values instead of raw codes')
    .action(async (model: string, options: PredictCommandOptions) => {
      const { namedInputs, predict } = await import('./predict.ts');
      const { dequantize, input, ...others } = options;
      const values = dequantize === true ? 'dequantized' : 'raw';
      const outputs = await predict({ model, ...others, input: namedInputs(input), values, onNote: note });
      for (const { file, tensor } of outputs) note(`wrote ${file}: ${tensor.dtype} [${tensor.shape.join(', ')}]`);
    });

  program
    .command('graph')
    .description("print a pipeline's network at one level, with newly initialized weights")
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .addOption(new Option('--level <level>', 'level of the graph').choices([...levels]).default('qat'))
    .option('--each-pass', 'print the graph after every pass')
    .action(async (pipeline: string, { eachPass, ...options }: GraphCommandOptions) => {
      const { graphText } = await import('./graph.ts');
      out(await graphText({ pipeline, ...options, passes: eachPass === true ? 'each' : 'last' }));
    });

  program
    .command('engine')
    .description('install what an engine needs beyond the npm packages')
    .command('install')
    .description("build TensorFlow's addon, where npm's own install cannot, and qpipe's kernels for TensorFlow")
    .addArgument(new Argument('<engine>', 'engine to install').choices(['tensorflow']))
    .addOption(
      new Option('--lib <folder>', 'folder with libtensorflow_cc.so.2 or libtensorflow.so.2').conflicts('python'),
    )
    .option('--python <program>', 'Python whose TensorFlow library to use; default: download a wheel')
    .option('--force', 'build again even if a working addon is installed')
    .option('--json', 'print the steps and the result as JSON lines')
    .action(async (_engine: string, options: EngineInstallCommandOptions) => {
      finish(await engineInstallCommand(options));
    });

  program
    .command('doctor')
    .description('check this machine: what is installed, what is missing, and how to fix it')
    .option('--json', 'print the result as JSON')
    .action(async ({ json }: { json?: true }) => {
      const { doctor, healthText } = await import('./doctor.ts');
      const health = await doctor();
      out(
        json === true ? JSON.stringify(health, null, 2) : healthText(health, outputColumns(), await terminalColors()),
      );
      finish(health.ok ? exitCodes.ok : exitCodes.failed);
    });

  return program;
}

interface EngineInstallCommandOptions {
  readonly lib?: string;
  readonly python?: string;
  readonly force?: true;
  readonly json?: true;
}

interface PredictCommandOptions {
  readonly input: readonly string[];
  readonly output: string;
  readonly runtime?: RuntimeName;
  readonly dequantize?: true;
}

interface GraphCommandOptions {
  readonly set: readonly string[];
  readonly data?: string;
  readonly level: Level;
  readonly eachPass?: true;
}

interface RunCommandOptions {
  readonly set: readonly string[];
  readonly engine?: string;
  readonly data?: string;
  readonly runs: string;
  readonly store: string;
  readonly threads?: number;
  readonly force?: readonly string[];
  readonly json?: true;
}

async function runCommand(pipeline: string, options: RunCommandOptions): Promise<number> {
  const [{ run }, { downloadNotes, jsonProgress, plainProgress, terminalProgress }, { summaryText }, { Interrupted }] =
    await Promise.all([
      import('./run.ts'),
      import('./progress.ts'),
      import('./summary.ts'),
      import('../runner/execute.ts'),
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
    const { force, threads, engine, set, data, runs, store } = options;
    const showDownload = downloadNotes(process.stderr);
    const { record, report, folder } = await run({
      pipeline,
      set,
      runs,
      store,
      signal: interruption.signal,
      force: force ?? [],
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

async function engineInstallCommand({ lib, python, force, json }: EngineInstallCommandOptions): Promise<number> {
  const [{ installTensorflow }, { jsonSteps, plainSteps, terminalSteps }, { Interrupted }] = await Promise.all([
    import('../install/tensorflow.ts'),
    import('./steps.ts'),
    import('../runner/execute.ts'),
  ]);
  const interruption = onInterrupt();
  try {
    const result = await installTensorflow({
      source:
        lib !== undefined
          ? { kind: 'folder', folder: lib }
          : python !== undefined
            ? { kind: 'python', python }
            : { kind: 'wheel' },
      existing: force === true ? 'replace' : 'keep',
      signal: interruption.signal,
      runSteps: json === true ? jsonSteps(out) : process.stdout.isTTY ? terminalSteps(process.stdout) : plainSteps(out),
    });
    if (json === true) {
      out(JSON.stringify({ kind: 'result', ...result }));
      return exitCodes.ok;
    }
    for (const warning of result.warnings) note(formatForScreen(warning, 'warning', screenColumns()));
    const what = `${result.version}${result.kernels === null ? '' : ", qpipe's kernels"}`;
    out(
      result.status === 'present'
        ? `${what} is already installed and works: ${result.folder}\n\`--force\` builds it again`
        : `${what} is installed: ${result.folder}\nuse it with \`engine: tensorflow\` in a pipeline`,
    );
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    note('interrupted; nothing was installed');
    return interruption.exitCode();
  } finally {
    interruption.end();
  }
}

async function terminalColors() {
  const { default: picocolors } = await import('picocolors');
  // Without a terminal `isTTY` is undefined, which the package would take for its own default.
  return picocolors.createColors(process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? true : false);
}

/** Prints a failure as its reader needs it and gives the exit code. */
function reportFailure(failure: unknown, json: boolean): number {
  if (failure instanceof CommanderError) {
    return failure.exitCode === 0 ? exitCodes.ok : exitCodes.badInput; // commander has printed it
  }
  const error = machineError(failure) ?? failure;
  if (error instanceof UserError) {
    if (json) out(JSON.stringify({ kind: 'error', diagnostics: error.diagnostics }));
    else for (const diagnostic of error.diagnostics) note(formatForScreen(diagnostic, 'error', screenColumns()));
    return error.exitCode;
  }
  note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  note('this is a bug in qpipe; please report it with the lines above');
  return exitCodes.failed;
}

watchOutput((diagnostic) => note(formatForScreen(diagnostic, 'error', screenColumns())));
// Terminals made by a program often report no size; a live list would wrap after each letter and show no line.
if (process.stdout.columns === 0) process.stdout.columns = 80;
if (process.stdout.rows === 0) process.stdout.rows = 24;
async function main(): Promise<void> {
  try {
    await makeProgram((code) => {
      process.exitCode = code;
    }).parseAsync();
  } catch (error) {
    process.exitCode = reportFailure(error, process.argv.includes('--json'));
  }
}
// The bundle of the command line is one script, which cannot wait at its top level.
void main();
