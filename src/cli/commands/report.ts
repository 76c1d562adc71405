import { InvalidArgumentError } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import { runsOption } from '../options.ts';
import { untilInterrupted } from '../signals.ts';
import { note, out, outputColumns, terminalColors } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addReport: AddCommand = (program, finish) => {
  program
    .command('report')
    .description('write the report of a run again, or show all runs in the browser')
    .argument('[run]', 'folder of the run; default: runs/latest')
    .option('--serve', 'show all runs of a folder on a page of this machine, until Ctrl-C')
    .option('--port <number>', 'of the page; 0 takes any that is free; default: 8417', portNumber)
    .addOption(runsOption())
    .addHelpText('after', '\nExamples:\n  qpipe report runs/latest\n  qpipe report --serve')
    .action(async (folder: string | undefined, { serve, port, runs }: ReportCommandOptions) => {
      if (serve === true) return servePages(runs, port, finish);
      const { writeReport } = await import('../report.ts');
      const { summaryText } = await import('../summary.ts');
      const shown = folder ?? `${runs}/latest`;
      const report = await writeReport(shown);
      out(summaryText(report, shown, outputColumns(), await terminalColors()));
    });
};

async function servePages(runs: string, port: number | undefined, finish: (code: number) => void): Promise<void> {
  const { serve } = await import('../serve/serve.ts');
  await untilInterrupted('', finish, async (signal) => {
    await serve({
      ...{ runs, signal },
      ...(port !== undefined && { port }),
      onListening: (address) => out(`all runs of ${runs}: ${address}  (Ctrl-C ends it)`),
      onFault: (error) => note(error.stack ?? error.message),
    });
  });
  finish(exitCodes.ok);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('expected a number from 0 to 65535');
  return port;
}

interface ReportCommandOptions {
  readonly serve?: true;
  readonly port?: number;
  readonly runs: string;
}
