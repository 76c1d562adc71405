import { counted } from '../../core/words.ts';
import type { AddCommand } from './define.ts';
import { dataOption, setOption } from '../options.ts';
import { noteDiagnostic, out, outputColumns } from '../terminal.ts';

/** Lines of models, of which a matrix may have hundreds. */
const mostSizes = 8;

export const addValidate: AddCommand = (program) => {
  program
    .command('validate')
    .description('check a pipeline and its data without running it')
    .argument('<pipeline>', 'pipeline file')
    .addOption(setOption())
    .addOption(dataOption())
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  qpipe validate lenet.yaml')
    .action(async (pipeline: string, { set, data, json }: { set: string[]; data?: string; json?: true }) => {
      const [{ matrixText, sizeText, validate }, { wrap }] = await Promise.all([
        import('../validate.ts'),
        import('../../report/text-table.ts'),
      ]);
      const result = await validate(pipeline, set, data);
      if (json === true) return out(JSON.stringify(result, null, 2));
      for (const warning of result.warnings) noteDiagnostic(warning, 'warning');
      const valid = `${pipeline} is valid: ${result.stages.map(({ name, kind }) => `${name} (${kind})`).join(', ')}`;
      out(wrap(valid, outputColumns()).join('\n'));
      if (result.matrix !== undefined) out(wrap(matrixText(result.matrix), outputColumns()).join('\n'));
      for (const size of result.sizes.slice(0, mostSizes)) out(wrap(sizeText(size), outputColumns()).join('\n'));
      const more = result.sizes.length - mostSizes;
      if (more > 0) out(`and ${counted(more, 'more model')}, of which \`--json\` says the same`);
      if (result.data === null) return;
      const { training, validation, classes } = result.data;
      const inClasses = classes.length === 0 ? '' : `, ${counted(classes.length, 'class', 'classes')}`;
      const found = `data: ${counted(training, 'example')} for training, ${validation} for validation${inClasses}; \`qpipe data ${pipeline}\` shows more`;
      out(wrap(found, outputColumns()).join('\n'));
    });
};
