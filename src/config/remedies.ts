/** Remedies for a value that does not fit its field. */
import type { SchemaNode } from '../core/schema.ts';
import { isRecord } from '../core/schema.ts';
import { stepsPerEpoch } from '../training/steps.ts';
import type { Path } from './source.ts';
import { didYouMean, list } from './suggest.ts';

/** A value in its place. */
export interface Misfit {
  /** The plain value of the whole file. */
  readonly root: unknown;
  readonly path: Path;
  readonly found: unknown;
  /** Of the field. */
  readonly schema: SchemaNode;
}

/** Tries the remedies from the most specific to the most general; undefined where the message is enough. */
export function remedy(misfit: Misfit): string | undefined {
  for (const find of remedies) {
    const hint = find(misfit);
    if (hint !== null) return hint;
  }
  return undefined;
}

type FindRemedy = (misfit: Misfit) => string | null;

const typesOf = ({ type }: SchemaNode): readonly string[] => [type ?? []].flat();

const wantsNumber = (schema: SchemaNode): boolean =>
  typesOf(schema).some((type) => type === 'number' || type === 'integer');

const write = (value: string): string => `write \`${value}\``;

const noPipeline: FindRemedy = ({ path }) =>
  path.length === 0 ? 'a pipeline begins with `version: 1` and `name: …`, and has `data`, `model` and `stages`' : null;

const emptyValue: FindRemedy = (misfit) => {
  const { found, schema } = misfit;
  if (found !== null && found !== undefined) return null;
  if (!('default' in schema)) return meaning(misfit) ?? 'write a value after the colon';
  const initial: unknown = schema.default;
  return typeof initial === 'number' || typeof initial === 'string' || typeof initial === 'boolean'
    ? `write a value, or remove the key: its default is \`${initial}\``
    : 'remove the key to use its default';
};

const described = (schema: SchemaNode): string | null => schema.description ?? null;

/** Fields that count something, so that a fraction or a number of epochs can be converted to a count. */
function countOf({ root, path }: Misfit, share: number, unit: 'share' | 'epoch'): string | null {
  const images = trainingImages(root);
  if (unit === 'share') {
    if (path.join('.') !== 'data.validation') return null;
    const what = 'this is a number of images, not a fraction';
    return images === null ? what : `${what}; ${percent(share)} of ${images} is ${Math.round(share * images)}`;
  }
  const [stages, name = ''] = path;
  if (stages !== 'stages' || path.length !== 3 || images === null) return null;
  const stage = isRecord(root) && isRecord(root['stages']) ? root['stages'][name] : undefined;
  const batch = isRecord(stage) ? stage['batch'] : undefined;
  const data = isRecord(root) ? root['data'] : undefined;
  const validation = isRecord(data) && typeof data['validation'] === 'number' ? data['validation'] : 0;
  const steps = stepsPerEpoch(images - validation, typeof batch === 'number' ? batch : 64);
  return `it is a number of steps: ${share} ${share === 1 ? 'epoch is' : 'epochs are'} ${Math.round(share * steps)} of them`;
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(6))} %`;

/** Before validation, where the file alone says it. */
function trainingImages(root: unknown): number | null {
  const data = isRecord(root) ? root['data'] : undefined;
  if (!isRecord(data)) return null;
  switch (data['source']) {
    case 'mnist':
      return 60_000;
    case 'cifar10':
      return 50_000;
    case 'synthetic':
      return typeof data['train'] === 'number' ? data['train'] : null;
    default:
      return null;
  }
}

const thousands: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9 };

/** Texts that a person reads as a number. */
const numberInText: FindRemedy = (misfit) => {
  const { found, schema } = misfit;
  if (typeof found !== 'string' || !wantsNumber(schema)) return null;
  const text = found.trim();
  const isShare = (schema.maximum ?? schema.exclusiveMaximum) === 1;
  if (text === '') return 'write a number';
  if (Number.isFinite(Number(text))) return 'remove the quotes';
  const [, amount = '', unit = ''] = /^([-+]?[\d._,]*\d(?:e[-+]?\d+)?)\s*([a-zµ%]*)$/i.exec(text) ?? [];
  const decimal = /^[-+]?\d+,\d{1,2}$|^[-+]?0,\d+$/.test(amount)
    ? amount.replace(',', '.')
    : amount.replaceAll(/[,_]/g, '');
  const value = amount === '' ? NaN : Number(decimal);
  if (Number.isFinite(value)) {
    if (unit === '') return write(decimal);
    if (unit === '%') {
      const share = Number((value / 100).toPrecision(12));
      return isShare
        ? `write it as a fraction of 1: \`${share}\``
        : (countOf(misfit, share, 'share') ?? notShare(misfit));
    }
    if (/^epochs?$/i.test(unit)) return countOf(misfit, value, 'epoch') ?? `write only the number: \`${decimal}\``;
    const factor = thousands[unit.toLowerCase()];
    return factor === undefined ? `write only the number: \`${decimal}\`` : write(String(value * factor));
  }
  const [, numerator, denominator] = /^([\d.]+)\s*\/\s*([\d.]+)$/.exec(text) ?? [];
  const quotient = Number(numerator) / Number(denominator);
  if (Number.isFinite(quotient) && (quotient > 0 || Number(numerator) === 0)) {
    return typesOf(schema).includes('integer') ? null : write(String(Number(quotient.toPrecision(6))));
  }
  return null;
};

const notShare = ({ path }: Misfit): string =>
  `write a number without \`%\`; \`${path.at(-1) ?? ''}\` is not a fraction`;

const fractionOfWhole: FindRemedy = (misfit) => {
  const { found, schema } = misfit;
  if (typeof found !== 'number' || !typesOf(schema).includes('integer') || Number.isInteger(found)) return null;
  if (!Number.isFinite(found)) return null;
  if (found > 0 && found < 1) return countOf(misfit, found, 'share') ?? described(schema);
  return `for example \`${Math.floor(found)}\` or \`${Math.ceil(found)}\``;
};

const shareBeyondOne: FindRemedy = ({ found, schema }) => {
  if (typeof found !== 'number') return null;
  if (schema.exclusiveMaximum === 1 && found === 1) {
    return `it must be less than 1${typeof schema.default === 'number' ? `; the default is \`${schema.default}\`` : ''}`;
  }
  const limit = schema.maximum ?? schema.exclusiveMaximum;
  return limit === 1 && found > 1 && found <= 100
    ? `this is a fraction of 1, not a percentage; ${found} % is ${Number((found / 100).toPrecision(12))}`
    : null;
};

const wordsForTrue = ['yes', 'y', 'on', 'true', 't', '1', 'enabled'];
const wordsForFalse = ['no', 'n', 'off', 'false', 'f', '0', 'disabled', 'none'];

const booleanWord: FindRemedy = ({ found, schema }) => {
  if (!typesOf(schema).includes('boolean')) return null;
  const word = String(found).toLowerCase();
  if (wordsForTrue.includes(word)) return write('true');
  return wordsForFalse.includes(word) ? write('false') : null;
};

const allowedWord: FindRemedy = ({ found, schema }) => {
  const words = schema.enum ?? (schema['x-parse'] === 'target' ? schema.examples : undefined);
  if (words === undefined || typeof found !== 'string') return null;
  const hint = didYouMean(found, words.map(String));
  return hint.startsWith('did') ? hint : null;
};

/** A pair written as text: `3x3`, `3, 5`. */
const pairInText: FindRemedy = ({ found, schema }) => {
  if (schema['x-parse'] !== 'pair' || typeof found !== 'string') return null;
  const [, first, second] = /^[([]?\s*(\d+)\s*[x×,]\s*(\d+)\s*[)\]]?$/i.exec(found.trim()) ?? [];
  return first === undefined || second === undefined ? null : write(`[${first}, ${second}]`);
};

const unquotedText: FindRemedy = ({ found, schema }) => {
  const isText = typesOf(schema).includes('string') && !wantsNumber(schema) && schema.enum === undefined;
  return isText && (typeof found === 'number' || typeof found === 'boolean') && fits(String(found), schema)
    ? `put quotes around it: \`'${String(found)}'\``
    : null;
};

/** Names that would do after changing the signs that cannot be in them. */
const nameInOtherSigns: FindRemedy = ({ found, schema }) => {
  if (typeof found !== 'string' || schema.pattern === undefined) return null;
  const pattern = new RegExp(schema.pattern);
  // Only names admit any letters.
  if (!pattern.test('name') && !pattern.test('Name')) return null;
  const kept = 'letters (a-z, A-Z), digits, `_`, `.` and `-`, and begins with a letter or digit';
  const name = nameFrom(found);
  return `a name consists of ${kept}; for example \`${pattern.test(name) ? name : ([...(schema.examples ?? []).map(String), 'name'][0] ?? '')}\``;
};

export const nameFrom = (text: string): string =>
  text
    .trim()
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 100);

const listWanted: FindRemedy = ({ found, schema }) => {
  if (!typesOf(schema).includes('array') || Array.isArray(found) || typesOf(schema).length > 1) return null;
  if (isRecord(found)) return 'begin each entry with `- `';
  const item = schema.items ?? {};
  if (fits(found, item)) return `write it as a list: \`[${String(found)}]\``;
  if (typeof found === 'number' && fits('cpu:0', item)) {
    const devices = Array.from({ length: Math.min(Math.max(1, found), 4) }, (_, index) => `cpu:${index}`);
    return `name them, for example \`[${devices.join(', ')}]\``;
  }
  const examples = (item.examples ?? []).map(String);
  return examples.length === 0 ? null : `for example \`[${examples.join(', ')}]\``;
};

const mapWanted: FindRemedy = ({ found, schema }) => {
  const isMap = typesOf(schema).includes('object') || schema.if !== undefined;
  const takesTexts = typesOf(schema).length > 1 && schema['x-parse'] !== 'normalize';
  if (!isMap || isRecord(found) || takesTexts) return null;
  if (Array.isArray(found)) return 'write `key: value` without the `- ` or `[ ]` around it';
  const branches = [...(schema.oneOf ?? []), ...[schema.then, schema.else].flatMap((node) => node ?? [])];
  const tagged = branches.flatMap((branch) => branch.oneOf ?? [branch]);
  for (const branch of tagged) {
    const tag = Object.entries(branch.properties ?? {}).find(([, field]) => field.const === found);
    if (tag !== undefined) return write(`{ ${tag[0]}: ${String(found)} }`);
  }
  if (schema.discriminator !== undefined) return `write a map with \`${schema.discriminator.propertyName}\` in it`;
  const fields = Object.entries(schema.properties ?? {});
  const fitting = fields.filter(([, field]) => fits(found, field));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return write(`{ ${only[0]}: ${String(found)} }`);
  return fields.length === 0 ? described(schema) : `its keys are ${list(fields.map(([name]) => name))}`;
};

/** Whether a scalar could be the value of a field. */
function fits(value: unknown, schema: SchemaNode): boolean {
  const types = typesOf(schema);
  switch (typeof value) {
    case 'string':
      return types.includes('string') && (schema.pattern === undefined || new RegExp(schema.pattern).test(value));
    case 'number':
      return types.includes('number') || (types.includes('integer') && Number.isInteger(value));
    case 'boolean':
      return types.includes('boolean');
    default:
      return false;
  }
}

const meaning: FindRemedy = ({ path, schema }) =>
  schema.description === undefined ? null : `\`${path.at(-1) ?? ''}\`: ${schema.description}`;

const remedies: readonly FindRemedy[] = [
  noPipeline,
  emptyValue,
  numberInText,
  fractionOfWhole,
  shareBeyondOne,
  booleanWord,
  allowedWord,
  pairInText,
  unquotedText,
  nameInOtherSigns,
  listWanted,
  mapWanted,
  meaning,
];
