import type { AddCommand } from './define.ts';
import { note, out } from '../terminal.ts';

export const addCompare: AddCommand = (program) => {
  program
    .command('compare')
    .description('show what differs between two runs, and its effect')
    .argument('<a>', 'folder of a run')
    .argument('<b>', 'folder of another run')
    .option('--all', 'also show settings and metrics that are equal')
    .option('--html <file>', 'also write the comparison as an HTML page')
    .option('--json', 'print the comparison as JSON')
    .addHelpText('after', '\nExample:\n  qpipe compare runs/before runs/latest --html difference.html')
    .action(async (a: string, b: string, { all, html, json }: { all?: true; html?: string; json?: true }) => {
      const { compare, comparisonText } = await import('../compare.ts');
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
};
