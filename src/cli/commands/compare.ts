import { runsOption } from '../options.ts';
import { note, out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addCompare: AddCommand = (program) => {
  program
    .command('compare')
    .description('show what differs between runs, and whether it made a difference')
    .argument('<a>', 'folder or id of a run, which the others are compared with')
    .argument('<b>', 'folder or id of another run')
    .argument('[more...]', 'further runs')
    .option('--all', 'also show settings and measures that are equal, and all rows of long tables')
    .option('--html <file>', 'also write the comparison as an HTML page')
    .option('--md', 'print the comparison as Markdown, for a pull request')
    .option('--json', 'print the comparison as JSON')
    .addOption(runsOption())
    .addHelpText(
      'after',
      '\nExamples:\n  qpipe compare runs/before runs/latest --html difference.html\n  qpipe compare runs/before runs/latest --md',
    )
    .action(async (a: string, b: string, more: string[], { all, html, md, json, runs }: CompareCommandOptions) => {
      const { compare, comparisonMarkdown, comparisonText } = await import('../compare.ts');
      const comparison = await compare({
        runs: [a, b, ...more],
        folder: runs,
        rows: all === true ? 'all' : 'differing',
        ...(html === undefined ? {} : { html }),
      });
      if (html !== undefined) note(`wrote ${html}`);
      if (json === true) return out(JSON.stringify(comparison, null, 2));
      if (md === true) return out(comparisonMarkdown(comparison).trimEnd());
      const color = process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? 'color' : 'plain';
      const width = process.stdout.isTTY ? process.stdout.columns : 120;
      out(comparisonText(comparison, { color, width, rows: all === true ? 'all' : 'first' }).trimEnd());
    });
};

interface CompareCommandOptions {
  readonly all?: true;
  readonly html?: string;
  readonly md?: true;
  readonly json?: true;
  readonly runs: string;
}
