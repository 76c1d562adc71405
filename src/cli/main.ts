import { Command, CommanderError } from 'commander';
import { UserError } from '../core/diagnostic.ts';
import { packageVersion } from '../core/version.ts';
import { machineError } from '../runner/disk-error.ts';
import { commands } from './commands/index.ts';
import { exitCodes } from './exit-codes.ts';
import { watchOutput } from './signals.ts';
import { note, noteDiagnostic, out } from './terminal.ts';

function makeProgram(finish: (code: number) => void): Command {
  const program = new Command('qpipe')
    .description(
      'Turn one YAML file into a true int8 .tflite model, with a report of what quantization cost and where.',
    )
    .version(packageVersion(), '--version', 'print the version')
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  for (const add of commands) add(program, finish);
  return program;
}

/** Prints a failure as its reader needs it and gives the exit code. */
function reportFailure(failure: unknown, json: boolean): number {
  if (failure instanceof CommanderError) {
    return failure.exitCode === 0 ? exitCodes.ok : exitCodes.badInput; // commander has printed it
  }
  const error = machineError(failure) ?? failure;
  if (error instanceof UserError) {
    if (json) out(JSON.stringify({ kind: 'error', diagnostics: error.diagnostics }));
    else for (const diagnostic of error.diagnostics) noteDiagnostic(diagnostic, 'error');
    return error.exitCode;
  }
  note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  note('this is a bug in qpipe; please report it with the lines above');
  return exitCodes.failed;
}

watchOutput((diagnostic) => noteDiagnostic(diagnostic, 'error'));
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
