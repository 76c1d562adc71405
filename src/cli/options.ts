import { InvalidArgumentError, Option } from 'commander';
import { parseBytes } from '../core/bytes.ts';

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

/** For commander. */
export function count(text: string): number {
  if (!/^(0|[1-9][0-9]*)$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

const hour = 60 * 60 * 1000;
const hoursOf: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 };

function milliseconds(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([hdw])$/.exec(text) ?? [];
  const hours = hoursOf[unit];
  if (hours === undefined) throw new InvalidArgumentError('expected hours, days or weeks, for example 12h, 30d or 4w');
  return Number(number) * hours * hour;
}

/** A time, in milliseconds. */
export const ageOption = (flags: string, description: string) => new Option(flags, description).argParser(milliseconds);

/** A size, in bytes. */
export const sizeOption = (flags: string, description: string) =>
  new Option(flags, description).argParser((text: string) => {
    const bytes = parseBytes(text);
    if (bytes === null) throw new InvalidArgumentError('expected a number and a unit, for example 500M or 20G');
    return bytes;
  });

export const runsOption = () => new Option('--runs <folder>', 'folder for runs').default('runs');

export const storeOption = () => new Option('--store <folder>', 'folder for stored results').default('.qpipe/store');

export const pipelineOption = () => new Option('--pipeline <file>', 'pipeline file; default: that of the last run');

export const setOption = () =>
  new Option('--set <path=value>', 'change a setting, for example stages.qat.delay=1000; may be repeated')
    .argParser(collect)
    .default([], 'none');

export const dataOption = () =>
  new Option(
    '--data <folder>',
    'folder of data sets that have no path in the pipeline; default: data, else ../shared/data',
  ).env('QPIPE_DATA');
