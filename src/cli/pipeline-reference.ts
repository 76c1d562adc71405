/** docs/pipeline.md: every field of the pipeline file, as its JSON Schema describes it. */
import { present } from '../core/assert.ts';
import { counted } from '../core/words.ts';
import { pipelineExamples } from './pipeline-examples.ts';

/** What the generator reads of JSON Schema and of our own keywords. */
interface Field {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Field>>;
  readonly additionalProperties?: Field | false;
  readonly items?: Field;
  readonly oneOf?: readonly Field[];
  readonly discriminator?: { readonly propertyName: string };
  readonly then?: Field;
  readonly else?: Field;
  readonly 'x-qpipe'?: string;
  readonly 'x-parse'?: string;
  readonly 'x-derived'?: string;
}

type Properties = readonly (readonly [name: string, field: Field, required: boolean])[];

const introduction = `# The pipeline file: field reference

Generated from \`schemas/pipeline.schema.json\` by \`npm run schemas\`. Do not edit this page: change the descriptions in
the schema instead.

A pipeline is one YAML file. A field without a default is either **required** or optional (—). A key that is not listed
here is an error.

The **mark** says what changing the field does to results that are already stored:

- **key**: the field is part of the cache key. The stages that read it run again.
- **runtime**: the field is not part of the cache key. It changes where or how something runs, or it names a file or
  stage whose *content* is in the key.
- **doc**: the field is for people only.
`;

const matrixText = `A pipeline with \`matrix\` runs once for every choice of values: six times here.

\`\`\`yaml
matrix:
  seed: [1, 2, 3]
  stages.qat.scheme: [int8, uint8]
\`\`\`

The keys are paths of settings, as \`--set\` takes them: \`model.layers.0.filters\` is a setting of the first layer, and
\`stages.qat.optimizer\` an optimizer as a whole, whose values are maps. All settings but \`version\`, \`name\` and
\`description\` may vary. There are at most 1,000 cells.

Each cell is checked like a pipeline of its own. What several cells have in common is said once, with the cells.

Stages that are equal in several cells run once. They are named after the settings on which they depend: here
\`pretrain@seed=1\` and \`qat@seed=1@scheme=int8\`. Options such as \`--only qat\` mean the stage in all cells, and
\`--only qat@seed=1\` in those with this seed.

The command line is stronger than the matrix: \`--set seed=1\` leaves the axis \`seed\` out, and
\`--set matrix.seed='[1, 2]'\` replaces its values. With one cell left, stages have their plain names.

The report has a row for each cell. Where \`seed\` is an axis, it also has the mean and the spread of the cells that differ
in nothing else.
`;

/**
 * The page as Markdown.
 *
 * @param schemaText the pipeline's JSON Schema
 */
export function pipelineReference(schemaText: string): string {
  // The schema is our own; the pipeline tests hold that it has this form.
  const root = JSON.parse(schemaText) as Field;
  const { data, model, stages, ...top } = root.properties ?? {};
  const layers = present(model?.then, 'the schema of a model with layers');
  const layer = present(layers.properties?.['layers']?.items, 'the schema of a layer');
  const presets = present(model?.else, 'the schema of a preset');
  const stage = present(stages?.additionalProperties || undefined, 'the schema of a stage');
  const optimizer = fieldOf(stage, 'optimizer');
  const features = fieldOf(present(data, 'the schema of the data'), 'features');
  const examples = pipelineExamples;
  const sections = [
    introduction,
    section('Top level', 'The keys of the file itself.', table(propertiesOf({ ...root, properties: top }))),
    section('`data`', `${sentence(data)} The key \`source\` chooses one of the sources below.`),
    branches(present(data, 'the schema of the data'), 'every source', examples.data),
    section('`features`', `${sentence(features)} It is a field of \`source: audio_folder\`.`),
    branches(features, 'every kind', examples.features),
    section('`model`', sentence(model)),
    section('`model` with `preset`', 'A network that qpipe knows by name.', undefined, '###'),
    branches(presets, 'every preset', examples.presets, '####'),
    section('`model` with `layers`', 'A network of your own.', table(propertiesOf(layers)), '###'),
    section('Layers', 'The key `kind` chooses what an item of `model.layers` computes.'),
    branches(layer, 'every layer', examples.layers),
    section('`stages`', `${sentence(stages)} The key \`uses\` chooses what a stage does.`),
    branches(stage, 'every stage', examples.stages),
    section('`optimizer`', `${sentence(optimizer)} It is a field of the training stages.`),
    branches(optimizer, 'every optimizer', examples.optimizers),
    section('`matrix`', matrixText),
  ];
  return `${sections.flat().join('\n').trimEnd()}\n`;
}

/** The schema of a field that some of the alternatives have. */
function fieldOf({ oneOf = [] }: Field, name: string): Field {
  return present(
    oneOf.map(({ properties }) => properties?.[name]).find((field) => field !== undefined),
    `the schema of ${name}`,
  );
}

function section(title: string, text: string, rows?: string, level = '##'): string {
  return [`${level} ${title}`, text, rows].filter((part) => part !== undefined && part !== '').join('\n\n') + '\n';
}

/** One section for the fields that all alternatives share, then one for each alternative with its example. */
function branches(
  field: Field,
  all: string,
  examples: Readonly<Record<string, string>>,
  level = '###',
): readonly string[] {
  const tag = present(field.discriminator, 'the key that chooses an alternative').propertyName;
  const alternatives = (field.oneOf ?? []).map(propertiesOf);
  const [first = []] = alternatives;
  const isShared = ([name, schema]: Properties[number]): boolean =>
    alternatives.every((other) =>
      other.some(([otherName, otherSchema]) => otherName === name && sameJson(otherSchema, schema)),
    );
  const shared = alternatives.length > 1 ? first.filter(isShared) : [];
  const common = shared.length === 0 ? [] : [section(`Fields of ${all}`, table(shared), undefined, level)];
  const own = (field.oneOf ?? []).map((alternative) => {
    const name = String(alternative.properties?.[tag]?.const);
    const fields = propertiesOf(alternative).filter((entry) => entry[0] !== tag && !isShared(entry));
    const example = present(examples[name], `an example of ${name}`);
    const text = alternative.description === undefined ? '' : sentence(alternative);
    const body = [fields.length === 0 ? '' : table(fields), `\`\`\`yaml\n${example}\n\`\`\``];
    return section(`\`${tag}: ${name}\``, text, body.filter((part) => part !== '').join('\n\n'), level);
  });
  return [...common, ...own];
}

function propertiesOf(map: Field): Properties {
  const required = map.required ?? [];
  return Object.entries(map.properties ?? {}).map(([name, field]) => [name, field, required.includes(name)]);
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function table(fields: Properties): string {
  const rows = fields.flatMap(([name, field, required]) => rowsOf(name, field, required));
  return ['| field | type | default | description | mark |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The row of a field, and those of the fields inside it. */
function rowsOf(path: string, field: Field, required: boolean): readonly string[] {
  const cells = [`\`${path}\``, typeOf(field), defaultOf(field, required), sentence(field), field['x-qpipe'] ?? ''];
  const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const inner = propertiesOf(field).flatMap(([name, part, must]) => rowsOf(`${path}.${name}`, part, must));
  return [row, ...inner];
}

function defaultOf(field: Field, required: boolean): string {
  if (required) return '**required**';
  if (field['x-derived'] !== undefined) return field['x-derived'];
  // A map that is filled in field by field shows its defaults there.
  if (field.default === undefined || sameJson(field.default, {})) return '—';
  return code(field.default);
}

function typeOf(field: Field): string {
  if (field.const !== undefined) return code(field.const);
  if (field.enum !== undefined) return anyOf(field.enum.map(code));
  switch (field['x-parse']) {
    case 'pair':
      return `integer${rangeOf(field)}, or a pair of them`;
    case 'fraction':
      return `number${rangeOf(field)}, or a fraction`;
    case 'bytes':
      return `number of bytes, or a text such as ${code(field.examples?.[0])}`;
    case 'normalize':
      return `map, ${anyOf((field.examples ?? []).map(code))}`;
    case 'path':
      return 'path';
    case 'target':
      return `${anyOf((field.examples ?? []).map(code))}, a list of them, or a map to budgets`;
    case 'file':
      return 'path, or a map';
    case 'weights':
      return `${anyOf((field.examples ?? []).map(code))}, or a map`;
    case 'device':
      return anyOf((field.examples ?? []).map(code));
    default:
      return plainType(field);
  }
}

function plainType(field: Field): string {
  if (field.discriminator !== undefined) {
    const tag = field.discriminator.propertyName;
    return `map, by \`${tag}\`: ${anyOf((field.oneOf ?? []).map(({ properties }) => code(properties?.[tag]?.const)))}`;
  }
  const { type } = field;
  if (Array.isArray(type) && type.includes('number') && type.includes('array')) {
    const isOfTexts = field.items?.type === 'string';
    return `number${rangeOf(field)}, or a list of ${isOfTexts ? 'strings' : 'them'}`;
  }
  if (Array.isArray(type)) return anyOf(type.map((one: string) => plainType({ ...field, type: one })));
  switch (type) {
    case 'array': {
      const items = present(field.items, 'the items of a list');
      const least = field.minItems === undefined ? '' : `, at least ${counted(field.minItems, 'item')}`;
      return items.discriminator === undefined
        ? `list of ${typeOf(items).replace(/^(integer|number|string|path)\b/, '$1s')}${least}`
        : `list of maps${least}`;
    }
    case 'object':
      return 'map';
    case 'null':
      return 'nothing';
    case 'boolean':
      return '`true` or `false`';
    case 'string': {
      const [example] = field.examples ?? [];
      const isShort = typeof example === 'string' && example.length <= 40;
      return isShort ? `string, such as ${code(example)}` : 'string';
    }
    default:
      return `${String(type)}${rangeOf(field)}`;
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Field): string {
  const bounds = [
    minimum === undefined ? '' : `≥ ${minimum}`,
    exclusiveMinimum === undefined ? '' : `> ${exclusiveMinimum}`,
    // The largest integer that a number holds exactly is a limit of the format, not of the field.
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `≤ ${maximum}`,
    exclusiveMaximum === undefined ? '' : `< ${exclusiveMaximum}`,
  ].filter((bound) => bound !== '');
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

function anyOf(choices: readonly string[]): string {
  const last = choices.at(-1) ?? '';
  return choices.length < 2 ? last : `${choices.slice(0, -1).join(', ')} or ${last}`;
}

const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** The description, with its full stop. */
function sentence(field: Field | undefined): string {
  const text = field?.description ?? '';
  return text === '' || text.endsWith('.') ? text : `${text}.`;
}
