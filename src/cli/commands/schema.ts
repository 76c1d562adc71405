import { out } from '../terminal.ts';
import type { AddCommand } from './define.ts';

export const addSchema: AddCommand = (program) => {
  program
    .command('schema')
    .description('print the JSON Schema of the pipeline file, or of a file that qpipe writes')
    .argument('[name]', 'what the schema is of', 'pipeline')
    .option('--list', 'print the names of the schemas')
    .addHelpText('after', '\nExample:\n  qpipe schema > pipeline.schema.json')
    .action(async (name: string, { list }: { list?: true }) => {
      const { schemaNames, schemaText } = await import('../schema.ts');
      out(list === true ? schemaNames().join('\n') : schemaText(name).trimEnd());
    });
};
