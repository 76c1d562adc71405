import { Argument, Option } from 'commander';
import { onInterrupt } from '../signals.ts';
import type { AddCommand } from './define.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, noteDiagnostic, out } from '../terminal.ts';

export const addEngine: AddCommand = (program, finish) => {
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
    .addHelpText('after', '\nExample:\n  qpipe engine install tensorflow')
    .action(async (_engine: string, options: EngineInstallCommandOptions) => {
      finish(await engineInstallCommand(options));
    });
};

interface EngineInstallCommandOptions {
  readonly lib?: string;
  readonly python?: string;
  readonly force?: true;
  readonly json?: true;
}

async function engineInstallCommand({ lib, python, force, json }: EngineInstallCommandOptions): Promise<number> {
  const [{ installTensorflow }, { jsonSteps, plainSteps, terminalSteps }, { Interrupted }] = await Promise.all([
    import('../../install/tensorflow.ts'),
    import('../steps.ts'),
    import('../../runner/execute.ts'),
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
    for (const warning of result.warnings) noteDiagnostic(warning, 'warning');
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
