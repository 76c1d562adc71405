import { Option } from 'commander';
import { levels } from '../../graph/graph.ts';
import type { Level } from '../../graph/graph.ts';
import type { AddCommand } from './define.ts';
import { dataOption, setOption } from '../options.ts';
import { note, out } from '../terminal.ts';

export const addGraph: AddCommand = (program) => {
  program
    .command('graph')
    .description("print a pipeline's network at one level, with newly initialized weights")
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .addOption(new Option('--level <level>', 'level of the graph').choices([...levels]).default('qat'))
    .option('--each-pass', 'print the graph after every pass')
    .addHelpText('after', '\nExample:\n  qpipe graph lenet.yaml --level int8')
    .action(async (pipeline: string, { eachPass, ...options }: GraphCommandOptions) => {
      const [{ graphText }, { matrixNote }] = await Promise.all([import('../graph.ts'), import('../matrix-note.ts')]);
      const cell = await matrixNote(pipeline, options.set, options.data);
      if (cell !== null) note(cell);
      out(await graphText({ pipeline, ...options, passes: eachPass === true ? 'each' : 'last' }));
    });
};

interface GraphCommandOptions {
  readonly set: readonly string[];
  readonly data?: string;
  readonly level: Level;
  readonly eachPass?: true;
}
