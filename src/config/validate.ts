import type { DefinedError, ErrorObject } from 'ajv';
import { Ajv } from 'ajv';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { SchemaNode } from '../core/schema.ts';
import { isRecord } from '../core/schema.ts';
import type { PipelineConfig } from './schema.ts';
import { pipelineSchema } from './schema.ts';
import type { Locate, Path } from './source.ts';
import { didYouMean } from './suggest.ts';

const checkPipeline = new Ajv({
  allErrors: true,
  verbose: true,
  useDefaults: true,
  discriminator: true,
  allowUnionTypes: true,
  keywords: ['x-qpipe', 'x-parse', 'x-derived'],
}).compile<PipelineConfig>(pipelineSchema);

/** Compares the plain value of a file with the schema, and fills defaults into it. */
export function validate(value: unknown, locate: Locate): Diagnostic[] {
  if (checkPipeline(value)) return [];
  return (checkPipeline.errors ?? []).flatMap((error) => diagnose(error, locate) ?? []);
}

/** Null for an error that only repeats others, or that semantics.ts knows more about. */
function diagnose(error: ErrorObject, locate: Locate): Diagnostic | null {
  const path = pathOf(error.instancePath);
  // Ajv types schemas more loosely than we do; this is a part of ours.
  const schema = (error.parentSchema ?? {}) as SchemaNode;
  const found: unknown = error.data;
  const missing = (name: string, hint: string): Diagnostic => ({
    code: 'missing-key',
    place: locate([...path, name], 'key'),
    message: `${named(path)} lacks the key \`${name}\``,
    hint,
  });
  const bad = (expected: string, hint?: string, code = 'bad-value', at = path, what = found): Diagnostic => ({
    code,
    place: locate(at, 'value'),
    message: `${named(at)} is ${show(what)}; expected ${expected}`,
    ...(hint === undefined ? {} : { hint }),
  });

  // A name that does not fit its pattern is reported by the `propertyNames` around it.
  if (error.propertyName !== undefined && error.keyword !== 'propertyNames') return null;
  // Ajv adds one keyword to the ones of JSON Schema that we use.
  const known = error as DefinedError | ErrorObject<'discriminator', DiscriminatorParams>;
  switch (known.keyword) {
    case 'additionalProperties': {
      const name: string = known.params.additionalProperty;
      const keys = Object.keys(schema.properties ?? {});
      return {
        code: 'unknown-key',
        place: locate([...path, name], 'key'),
        message: `${named(path)} has no key \`${name}\``,
        hint: didYouMean(name, keys),
      };
    }
    case 'propertyNames':
      return {
        code: 'bad-name',
        place: locate([...path, known.params.propertyName], 'key'),
        message: `\`${known.params.propertyName}\` cannot be a name in ${named(path)}`,
        hint: 'names start with a small letter; then small letters, digits, `-` and `_`',
      };
    case 'required': {
      const name = known.params.missingProperty;
      return name === 'from' ? null : missing(name, meaning(name, schema.properties?.[name]));
    }
    case 'discriminator': {
      const tag = known.params.tag;
      const words = tagValues(schema, tag);
      if (!isRecord(found) || !Object.hasOwn(found, tag)) return missing(tag, `one of ${list(words)}`);
      const written = found[tag];
      return bad(`one of ${list(words)}`, wordHint(written, words), 'bad-value', [...path, tag], written);
    }
    case 'enum': {
      const words = known.params.allowedValues.map(String);
      return bad(words.length === 1 ? `\`${String(words[0])}\`` : `one of ${list(words)}`, wordHint(found, words));
    }
    case 'const':
      return bad(`\`${String(known.params.allowedValue)}\``);
    case 'type':
      return bad(typeNames(schema), quotedNumberHint(found, schema), 'wrong-type');
    case 'minimum':
      return bad(`at least ${known.params.limit}`);
    case 'maximum':
      return bad(`at most ${known.params.limit}`, shareHint(found, known.params.limit));
    case 'exclusiveMinimum':
      return bad(`more than ${known.params.limit}`);
    case 'exclusiveMaximum':
      return bad(`less than ${known.params.limit}`, shareHint(found, known.params.limit));
    case 'pattern':
      return bad(`a text like ${list((schema.examples ?? []).map(String))}`);
    case 'minLength':
      return bad('a text that is not empty');
    case 'minItems':
    case 'maxItems':
      return bad(`${known.keyword === 'minItems' ? 'at least' : 'at most'} ${known.params.limit} items`);
    case 'minProperties':
      return bad(`at least ${known.params.limit} entry`);
    case 'uniqueItems': {
      const [first, second] = [known.params.i, known.params.j].map(Number).sort((a, b) => a - b);
      const item: unknown = Array.isArray(found) ? found[Number(second)] : undefined;
      return bad(
        `every item once; it repeats item ${String(first)}`,
        undefined,
        'bad-value',
        [...path, String(second)],
        item,
      );
    }
    // `then` and `else` report their own errors.
    case 'if':
      return null;
    default:
      return bad(`what the schema says: ${error.message ?? error.keyword}`);
  }
}

interface DiscriminatorParams {
  readonly error: string;
  readonly tag: string;
  readonly tagValue: unknown;
}

/** The steps of a JSON pointer. */
function pathOf(pointer: string): Path {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const named = (path: Path): string => (path.length === 0 ? 'the pipeline' : `\`${path.join('.')}\``);

const list = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

function show(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  // Not JSON for numbers, which knows no infinities.
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

const typeWords: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a map',
};

function typeNames(schema: SchemaNode): string {
  return [schema.type ?? []]
    .flat()
    .map((type) => typeWords[type] ?? type)
    .join(' or ');
}

function tagValues(schema: SchemaNode, tag: string): string[] {
  return (schema.oneOf ?? []).map((branch) => String(branch.properties?.[tag]?.const));
}

function meaning(name: string, schema: SchemaNode | undefined): string {
  return schema?.description === undefined ? `add \`${name}\`` : `\`${name}\`: ${schema.description}`;
}

/** The allowed words are in the message already, so only a near miss gives a hint. */
function wordHint(written: unknown, words: readonly string[]): string | undefined {
  const hint = typeof written === 'string' ? didYouMean(written, words) : '';
  return hint.startsWith('did') ? hint : undefined;
}

function shareHint(found: unknown, limit: number): string | undefined {
  return limit === 1 && typeof found === 'number' && found <= 100
    ? `this is a share of 1, not a percentage; ${found} % is ${Number((found / 100).toPrecision(12))}`
    : undefined;
}

function quotedNumberHint(found: unknown, schema: SchemaNode): string | undefined {
  const wantsNumber = schema.type === 'integer' || schema.type === 'number';
  return wantsNumber && typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found))
    ? 'remove the quotes'
    : undefined;
}
