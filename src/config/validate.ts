import type { DefinedError, ErrorObject } from 'ajv';
import { internal } from '../core/assert.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { SchemaNode } from '../core/schema.ts';
import { chosenSchema, fieldSchema, isRecord } from '../core/schema.ts';
import { counted } from '../core/words.ts';
import { checkPipeline } from './check-pipeline.ts';
import { pipelineSchema } from './schema.ts';
import type { Locate, Path } from './source.ts';
import { unknownKey } from './keys.ts';
import { nameFrom, remedy } from './remedies.ts';
import { didYouMean, list } from './suggest.ts';

/** Compares the plain value of a file with the schema, and fills defaults into it. */
export function validate(value: unknown, locate: Locate): Diagnostic[] {
  if (checkPipeline(value)) return [];
  const errors = checkPipeline.errors ?? [];
  return errors.flatMap((error) => (isRepeated(error, errors) ? [] : (diagnose(error, value, locate) ?? [])));
}

/** A value of the file, and the schema that it is compared with. */
interface Compared {
  readonly found: unknown;
  readonly schema: SchemaNode;
}

/** Follows a path through the file and its schema, and takes the alternatives that the file takes. */
function comparedAt(path: Path, root: unknown): Compared {
  let compared: Compared = { found: root, schema: pipelineSchema };
  for (const name of path) {
    const { found, schema } = compared;
    const chosen = chosenSchema(schema, found);
    const inside = Array.isArray(found) ? chosen.items : fieldSchema(chosen, name);
    const fields = found as Readonly<Record<string, unknown>>; // Ajv has been there
    compared = { found: fields[name], schema: inside ?? {} };
  }
  return { ...compared, schema: chosenSchema(compared.schema, compared.found) };
}

/** Ajv also compares a value of the wrong type with the allowed words, and a key in a wrong map with its tag. */
function isRepeated(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  return (
    error.keyword === 'type' &&
    errors.some(({ instancePath, keyword }) => instancePath === error.instancePath && keyword === 'enum')
  );
}

/** Null for an error that only repeats others, or that semantics.ts knows more about. */
function diagnose(error: ErrorObject, root: unknown, locate: Locate): Diagnostic | null {
  // A name that does not fit its pattern is reported by the `propertyNames` around it.
  if (error.propertyName !== undefined && error.keyword !== 'propertyNames') return null;
  const path = pathOf(error.instancePath);
  const { found, schema } = comparedAt(path, root);
  // Ajv adds one keyword to the ones of JSON Schema that we use.
  const known = error as DefinedError | ErrorObject<'discriminator', DiscriminatorParams>;
  switch (known.keyword) {
    case 'additionalProperties':
      return unknownKeyDiagnostic(root, path, known.params.additionalProperty, schema, locate);
    case 'propertyNames':
      return nameDiagnostic(path, known.params.propertyName, locate);
    case 'required': {
      const name = known.params.missingProperty;
      return name === 'from' ? null : missingKey(path, name, meaning(name, schema.properties?.[name]), locate);
    }
    case 'discriminator':
      return tagDiagnostic(path, found, known.params.tag, schema, locate);
    case 'uniqueItems':
      return repeatedItem(path, found, known.params, locate);
    // `then` and `else` report their own errors.
    case 'if':
      return null;
    default: {
      const place = locate(path, 'value');
      const hint = remedy({ root, path, found, schema });
      return {
        code: known.keyword === 'type' ? 'wrong-type' : 'bad-value',
        place,
        message: `${named(path)} is ${show(found)}; expected ${expectation(known, { found, schema })}`,
        ...(hint === undefined ? {} : { hint }),
      };
    }
  }
}

/** Completes "expected …", for the keywords that compare a single value. */
function expectation(
  error: DefinedError | ErrorObject<'discriminator', DiscriminatorParams>,
  { found, schema }: Compared,
): string {
  switch (error.keyword) {
    case 'enum': {
      const words = error.params.allowedValues.map(String);
      return words.length === 1 ? `\`${String(words[0])}\`` : `one of ${list(words)}`;
    }
    case 'const':
      return `\`${String(error.params.allowedValue)}\``;
    case 'type':
      if (typeof found === 'number' && !Number.isFinite(found)) return 'a finite number';
      return schema.type === 'string' && schema.examples !== undefined ? textLike(schema) : typeNames(schema);
    case 'minimum':
      return `at least ${error.params.limit}`;
    case 'maximum':
      return `at most ${error.params.limit}`;
    case 'exclusiveMinimum':
      return `more than ${error.params.limit}`;
    case 'exclusiveMaximum':
      return `less than ${error.params.limit}`;
    case 'pattern':
      return textLike(schema);
    case 'minLength':
      return 'a non-empty text';
    case 'maxLength':
      return `at most ${error.params.limit} characters`;
    case 'minItems':
      return `at least ${counted(error.params.limit, 'item')}`;
    case 'maxItems':
      return `at most ${counted(error.params.limit, 'item')}`;
    case 'minProperties':
      return `at least ${counted(error.params.limit, 'entry', 'entries')}`;
    default:
      // A keyword that a schema uses for the first time needs a sentence here.
      return internal(`no sentence for the keyword ${error.keyword}`);
  }
}

/** Of a text with examples, as each that has a pattern has. */
function textLike({ properties, examples = [] }: SchemaNode): string {
  return `${properties === undefined ? '' : 'a map, or '}a text like ${list(examples.map(String))}`;
}

function unknownKeyDiagnostic(root: unknown, path: Path, name: string, schema: SchemaNode, locate: Locate): Diagnostic {
  const { message, hint } = unknownKey(root, path, name, schema);
  return {
    code: 'unknown-key',
    place: locate([...path, name], 'key'),
    message: `${named(path)} has ${message ?? `no key \`${shortened(name)}\``}`,
    hint,
  };
}

function nameDiagnostic(path: Path, name: string, locate: Locate): Diagnostic {
  const other = nameFrom(name).toLowerCase();
  const example = /^[a-z]/.test(other) ? `; for example \`${other.replaceAll('.', '-')}\`` : '';
  return {
    code: 'bad-name',
    place: locate([...path, name], 'key'),
    message: `\`${shortened(name)}\` cannot be a name in ${named(path)}`,
    hint: `names start with a lower-case letter, followed by lower-case letters, digits, \`-\` and \`_\`, at most 100${example}`,
  };
}

function missingKey(path: Path, name: string, hint: string, locate: Locate): Diagnostic {
  return {
    code: 'missing-key',
    place: locate([...path, name], 'key'),
    message: `${named(path)} needs the key \`${name}\``,
    hint,
  };
}

function tagDiagnostic(path: Path, found: unknown, tag: string, schema: SchemaNode, locate: Locate): Diagnostic {
  const words = (schema.oneOf ?? []).map((branch) => String(branch.properties?.[tag]?.const));
  if (!isRecord(found) || !Object.hasOwn(found, tag)) {
    const glued = isRecord(found) ? Object.keys(found).find((name) => name.startsWith(`${tag}:`)) : undefined;
    if (glued === undefined) return missingKey(path, tag, `one of ${list(words)}`, locate);
    return missingKey(path, tag, `put a space after the colon of \`${glued}\``, locate);
  }
  const written = found[tag];
  const at = [...path, tag];
  // The allowed words are in the message already, so only a near miss gives a hint.
  const hint = typeof written === 'string' ? didYouMean(written, words) : '';
  return {
    code: 'bad-value',
    place: locate(at, 'value'),
    message: `${named(at)} is ${show(written)}; expected one of ${list(words)}`,
    ...(hint.startsWith('did') ? { hint } : {}),
  };
}

function repeatedItem(
  path: Path,
  found: unknown,
  { i, j }: { readonly i: number; readonly j: number },
  locate: Locate,
): Diagnostic {
  const [first = 0, second = 0] = [i, j].map(Number).sort((a, b) => a - b);
  const at = [...path, String(second)];
  const item: unknown = Array.isArray(found) ? found[second] : undefined;
  return {
    code: 'bad-value',
    place: locate(at, 'value'),
    message: `${named(at)} is ${show(item)}; expected every item once; it repeats item ${first}`,
    hint: 'remove one of the two',
  };
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

const named = (path: Path): string => (path.length === 0 ? 'the pipeline' : `\`${path.map(shortened).join('.')}\``);

const longestShown = 60;

function shortened(text: string): string {
  return text.length > longestShown ? `${text.slice(0, longestShown - 1)}…` : text;
}

function show(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  // Not JSON for numbers, which knows no infinities.
  return typeof value === 'number'
    ? String(value)
    : JSON.stringify(typeof value === 'string' ? shortened(value) : value);
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

function meaning(name: string, schema: SchemaNode | undefined): string {
  return schema?.description === undefined ? `add \`${name}\`` : `\`${name}\`: ${schema.description}`;
}
