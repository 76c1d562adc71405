import { Option } from 'commander';
import { runtimeNames } from '../runtime-names.ts';
import type { RuntimeName } from '../runtime-names.ts';
import type { AddCommand } from './define.ts';
import { note } from '../terminal.ts';

export const addPredict: AddCommand = (program) => {
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
    .addHelpText(
      'after',
      '\nExample:\n  qpipe predict model.tflite --input images.npy --output answers.npy --dequantize',
    )
    .action(async (model: string, options: PredictCommandOptions) => {
      const { namedInputs, predict } = await import('../predict.ts');
      const { dequantize, input, ...others } = options;
      const values = dequantize === true ? 'dequantized' : 'raw';
      const outputs = await predict({ model, ...others, input: namedInputs(input), values, onNote: note });
      for (const { file, tensor } of outputs) note(`wrote ${file}: ${tensor.dtype} [${tensor.shape.join(', ')}]`);
    });
};

interface PredictCommandOptions {
  readonly input: readonly string[];
  readonly output: string;
  readonly runtime?: RuntimeName;
  readonly dequantize?: true;
}
