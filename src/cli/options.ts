import { InvalidArgumentError, Option } from 'commander';

/** `stages` as written on the command line: separated by commas, optionally with spaces. */
const names = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** Names of stages; an empty list is none. */
export const stagesOption = (flags: string, description: string) =>
  new Option(flags, `${description}; names separated by commas`).argParser(names);

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** For commander. */
export function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

export const setOption = () =>
  new Option('--set <path=value>', 'change a setting, for example stages.qat.delay=1000; may be repeated')
    .argParser(collect)
    .default([], 'none');

export const dataOption = () =>
  new Option(
    '--data <folder>',
    'folder of data sets that have no path in the pipeline; default: data, else ../shared/data',
  ).env('QPIPE_DATA');
