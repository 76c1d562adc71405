/** NumPy's arrays: a `.npz` archive, or a folder of `.npy` files, with the examples along the first axis. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { present } from '../../core/assert.ts';
import { userError } from '../../core/diagnostic.ts';
import { key, object } from '../../core/schema.ts';
import { counted } from '../../core/words.ts';
import type { NumericArray, NumericData, NumericRows } from '../../formats/npy.ts';
import type { Npz } from '../../formats/npz.ts';
import { arraysIn } from '../../formats/npz.ts';
import type { PartName } from '../class-folders.ts';
import type { DataContent, DecodedData, ImageShape, Split } from '../dataset.ts';
import { openContent } from '../dataset.ts';
import type { Decoding } from '../decoding/decoding.ts';
import type { Inputs } from '../inputs.ts';
import { inputsOf } from '../inputs.ts';
import type { Mistakes } from '../mistakes.ts';
import { collectMistakes, listNotes } from '../mistakes.ts';
import type { PartExamples } from '../part-examples.ts';
import { guessedSplit, makeParts, numbered, ungroupedSplitField } from '../parts.ts';
import { standardize, standardizeTargets } from '../reals.ts';
import { defineSource, sourceFields } from './define.ts';
import type { GuessedSettings } from './define.ts';
import { anyAugmentField, imageFields, missingFolder, pathToData } from './fields.ts';

const array = (description: string) => Type.Optional(Type.String({ ...key(description), minLength: 1 }));

/** The names of training arrays, in the order in which they are looked for. */
const usualNames = {
  inputs: ['x_train', 'X_train', 'train_images', 'x', 'X'],
  answers: ['y_train', 'Y_train', 'train_labels', 'y', 'Y'],
} as const;

const columnsField = object(
  {
    inputs: array('Inputs for training, `[count, …]`; default: `x_train`, `train_images` or `x`'),
    class: array(
      'Their classes: whole numbers `[count]`, or one-hot `[count, classes]`; default: `y_train`, `train_labels` or `y`, if it has such',
    ),
    targets: array(
      'The numbers that a network with `task: regress` is to give, `[count]` or `[count, targets]`; default: as for `class`',
    ),
    labels: array('Labels of yes and no, 0 and 1, `[count, labels]`, for `task: multi_label`'),
    masks: array('The class of each pixel, whole numbers from 0, `[count, height, width]`, for `task: segment`'),
    group: array('Whole numbers `[count]`: training examples with equal ones stay in one part'),
    test_inputs: array('Inputs for testing; default: the name of `inputs` with `test` for `train`, if there is one'),
    test_class: array('Their classes; default: the name of `class` with `test` for `train`'),
    test_targets: array('Their targets; default: the name of `targets` with `test` for `train`'),
    test_labels: array('Their labels; default: the name of `labels` with `test` for `train`'),
    test_masks: array('Their masks; default: the name of `masks` with `test` for `train`'),
    validation_inputs: array(
      'Inputs for validation; default: the name of `inputs` with `validation`, `valid` or `val` for `train`, if there is one',
    ),
    validation_class: array('Their classes; default: as for the inputs'),
    validation_targets: array('Their targets; default: as for the inputs'),
    validation_labels: array('Their labels; default: as for the inputs'),
    validation_masks: array('Their masks; default: as for the inputs'),
  },
  { ...key('The names of the arrays'), default: {} },
);

const schema = sourceFields(
  'npz',
  'NumPy arrays with the examples along the first axis. `uint8` of `[count, height, width]` or `[count, height, width, channels]` are pixels; all others are real values, `[count, features]`, `[count, steps, channels]` or `[count, height, width, channels]`, of which each channel, the last axis, is standardized',
  {
    path: pathToData('`.npz` file, or folder, .zip or .tar of `.npy` files that are named as the arrays'),
    columns: columnsField,
    split: ungroupedSplitField,
    normalize: imageFields.normalize,
    augment: anyAugmentField,
  },
);

type Columns = Static<typeof columnsField>;
export type NpzSource = { readonly kind: 'npz' } & Pick<Static<typeof schema>, 'path' | 'columns' | 'split'>;

export const npz = defineSource({
  kind: 'npz',
  schema,
  from: ({ path, columns, split }): NpzSource => ({ kind: 'npz', path, columns, split }),
  tree: ({ path }) => path,
  files: () => [],
  unreadable: 'make the file readable, or take it out of the folder',
  missing: { kind: 'together', field: 'path', hint: missingFolder },
  knownSize: () => null,
  recipe: ({ columns, split }) => ({ columns, split }),
  decode: decodeArrays,
  describe: ({ path, columns }, contents) => {
    const arrays = openArrays(path, contents);
    const named = [...namedArrays(path, columns, arrays).values()].flatMap(namesIn);
    return { notes: [...new Set(named)].map((name) => `${name}: ${shapeText(arrays.open(name))}`) };
  },
  guess: { what: 'arrays of NumPy', accepts: (name) => name.endsWith('.npy'), settings: guessSettings },
});

const openArrays = (path: string, contents: ReadonlyMap<string, DataContent>): Npz =>
  arraysIn(path, [...contents.keys()], (name) => openContent(present(contents.get(name), name)));

function guessSettings(path: string, contents: ReadonlyMap<string, DataContent>): GuessedSettings {
  const arrays = openArrays(path, contents);
  const named = namedArrays(path, {}, arrays);
  const columns = [...named].flatMap(([part, names]) =>
    Object.entries(names).map(([column, name]) => `${part === 'train' ? '' : `${part}_`}${column}: ${String(name)}`),
  );
  const lines = guessedSplit({ validation: named.get('validation'), test: named.get('test') });
  return {
    found: [...named.values()].flatMap(namesIn).map((name) => `${name} is ${shapeText(arrays.open(name))}`),
    lines: [
      { yaml: `columns: { ${columns.join(', ')} }`, comment: 'the names of the arrays' },
      ...lines.map(({ yaml }) => ({ yaml, comment: 'fractions of the examples' })),
    ],
  };
}

async function decodeArrays(
  { path, columns, split }: NpzSource,
  contents: ReadonlyMap<string, DataContent>,
  decoding: Decoding,
): Promise<DecodedData> {
  const arrays = openArrays(path, contents);
  const named = namedArrays(path, columns, arrays);
  const mistakes = collectMistakes();
  const read: [PartName, PartData][] = [];
  for (const [part, names] of named) {
    const data = await readPart(path, names, arrays, mistakes, decoding);
    if (data !== null) read.push([part, data]);
  }
  mistakes.check();
  const train = present(new Map(read).get('train'), 'the training arrays');
  for (const [, part] of read) mistakes.attempt(() => checkAlike(path, train, part));
  mistakes.check();
  const classNames = classNamesOf(path, train);
  const given = Object.fromEntries(read.map(([part, data]) => [part, examplesOf(path, data, classNames)]));
  const { notes, ...made } = await makeParts(given, split, decoding.turn);
  const others = [made.validation, made.test];
  const { image, isPixels } = train.form;
  const channels = Array.from({ length: image.channels }, (_, channel) => String(channel + 1));
  return {
    ...{ name: path, classNames: classNames.map(String), image },
    notes: [...squareNotes(train), ...unusedNotes(arrays, named), ...notes],
    ...(isPixels ? made : await standardize(channels, made, decoding.turn)),
    ...(train.tags !== null && { tags: numberedNames(train.names.labels, train.tags.columns) }),
    ...(train.masks !== null && { hasMasks: true }),
    ...(train.tags === null &&
      train.targets !== null && {
        targets: standardizeTargets(numberedNames(train.names.targets, train.targets.columns), made.train, others),
      }),
  };
}

// Which array is what

/** The names of the arrays of one part. */
interface PartNames {
  readonly inputs: string;
  readonly class?: string;
  readonly targets?: string;
  readonly labels?: string;
  readonly masks?: string;
  readonly group?: string;
}

/** What a network may be asked for, one array each. */
const answerColumns = ['class', 'targets', 'labels', 'masks'] as const;
type AnswerColumn = (typeof answerColumns)[number];

const namesIn = (names: PartNames): string[] =>
  [names.inputs, ...answerColumns.map((column) => names[column]), names.group].filter((name) => name !== undefined);

const partWords = { test: ['test'], validation: ['validation', 'valid', 'val'] } as const;

function namedArrays(path: string, columns: Columns, arrays: Npz): ReadonlyMap<PartName, PartNames> {
  const mistakes = collectMistakes();
  for (const [column, name] of Object.entries(columns)) {
    mistakes.attempt(() => {
      if (!arrays.names.includes(name)) throw unknownArray(path, `\`columns.${column}\` is ${name}`, arrays);
    });
  }
  mistakes.check();
  const inputs = columns.inputs ?? usualNames.inputs.find((name) => arrays.names.includes(name));
  if (inputs === undefined) throw unknownArray(path, '`columns.inputs` is not set', arrays);
  const train: PartNames = {
    inputs,
    ...answersOf(columns, arrays),
    ...(columns.group !== undefined && { group: columns.group }),
  };
  const named = new Map<PartName, PartNames>([['train', train]]);
  for (const part of ['validation', 'test'] as const) {
    const names = mistakes.attempt(() => otherPart(path, columns, train, part, arrays));
    if (names !== null) named.set(part, names);
  }
  mistakes.check();
  return named;
}

function unknownArray(path: string, what: string, { names }: Npz) {
  const message = `${what}; the arrays are ${names.join(', ')}`;
  return userError(path, 'unknown-array', message, 'name one of them in `data.columns`');
}

/** The classes or targets that are named; else what stands beside the inputs, by what it looks like. */
function answersOf(columns: Columns, arrays: Npz): Pick<PartNames, AnswerColumn> {
  const named = answerColumns.flatMap((column) => (columns[column] === undefined ? [] : [[column, columns[column]]]));
  if (named.length > 0) return Object.fromEntries(named) as Pick<PartNames, AnswerColumn>; // keys of the table
  const found = usualNames.answers.find((name) => arrays.names.includes(name));
  if (found === undefined) return {};
  const answers = arrays.read(found);
  const { type, shape } = answers;
  const columnsOfClasses = shape.length === 2 && shape[1] !== 1;
  const isClass = columnsOfClasses ? oneHotClasses(answers) !== null : !type.startsWith('float');
  return isClass ? { class: found } : { targets: found };
}

function otherPart(path: string, columns: Columns, train: PartNames, part: keyof typeof partWords, arrays: Npz) {
  const find = (column: 'inputs' | AnswerColumn): string | undefined => {
    const trainName = train[column];
    const counterparts = partWords[part].map((word) => trainName?.replace(/train(ing)?/i, word));
    return (
      columns[`${part}_${column}`] ??
      counterparts.find((name) => name !== undefined && name !== trainName && arrays.names.includes(name))
    );
  };
  const inputs = find('inputs');
  const answers = answerColumns.filter((column) => train[column] !== undefined);
  const written = Object.keys(columns).some((column) => column.startsWith(`${part}_`));
  // Without the inputs of a part, a class array of that name is something else.
  if (inputs === undefined && !written) return null;
  if (inputs === undefined) throw unknownArray(path, `\`columns.${part}_inputs\` is not set`, arrays);
  const found = answers.map((column) => {
    const name = find(column);
    if (name === undefined) throw unknownArray(path, `\`columns.${part}_${column}\` is not set`, arrays);
    return [column, name] as const;
  });
  const names: PartNames = { inputs, ...Object.fromEntries(found) };
  return names;
}

/** Series hardly have as many steps as channels; images that were divided by 255 before they were saved do. */
function squareNotes({ names, form: { image, isPixels } }: PartData): string[] {
  const { height, width, channels } = image;
  if (isPixels || height > 1 || width !== channels || width < smallestSquare) return [];
  return [
    `${names.inputs} is read as series of ${width} steps in ${channels} channels; if it holds images, save [count, height, width, 1], or uint8`,
  ];
}

const smallestSquare = 8;

function unusedNotes({ names }: Npz, named: ReadonlyMap<PartName, PartNames>): string[] {
  const used = new Set([...named.values()].flatMap(namesIn));
  const unused = names.filter((name) => !used.has(name));
  return listNotes(unused, (count) => (count === 1 ? '1 array is not used' : `${count} arrays are not used`));
}

// What an array holds

interface Form {
  readonly image: ImageShape;
  readonly isPixels: boolean;
}

interface ClassValues {
  /** Numbers, or the position of the one. */
  readonly values: readonly number[];
  /** How many columns a one-hot array has; null for numbers. */
  readonly columns: number | null;
}

interface PartData {
  readonly names: PartNames;
  readonly count: number;
  readonly form: Form;
  readonly inputs: Inputs;
  readonly classes: ClassValues | null;
  readonly targets: { readonly values: Float32Array; readonly columns: number } | null;
  /** 0 or 1. */
  readonly tags: { readonly values: Float32Array; readonly columns: number } | null;
  /** [count, height, width], indices of classes. */
  readonly masks: Uint8Array | null;
  readonly groups: readonly string[] | null;
}

/** Null after a mistake. */
async function readPart(
  path: string,
  names: PartNames,
  arrays: Npz,
  mistakes: Mistakes,
  decoding: Decoding,
): Promise<PartData | null> {
  const place = (name: string): string => `${path}/${name}`;
  const opened = mistakes.attempt(() => {
    const found = arrays.open(names.inputs);
    return { found, form: formOf(found, place(names.inputs)), count: found.shape[0]! };
  });
  const values = opened && (await collectInputs(opened.found, opened.form, place(names.inputs), mistakes, decoding));
  const inputs = opened && values && { form: opened.form, count: opened.count, values };
  const beside = <T>(name: string | undefined, read: (found: NumericArray, file: string) => T): T | null =>
    name === undefined
      ? null
      : mistakes.attempt(() => {
          const found = arrays.read(name);
          const [count] = found.shape;
          if (inputs !== null && count !== inputs.count) {
            const message = `the array is ${shapeText(found)}, but ${names.inputs} has ${inputs.count} examples`;
            throw userError(place(name), 'different-counts', message, 'give arrays with an element for each example');
          }
          return read(found, place(name));
        });
  const classes = beside(names.class, classesOf);
  const targets = beside(names.targets, (found, file) => targetsOf(found, file));
  const tags = beside(names.labels, tagsOf);
  const masks = beside(names.masks, (found, file) => masksOf(found, file, opened?.form.image));
  const groups = beside(names.group, (found, file) => wholeNumbers(found, file, 'groups').map(String));
  if (inputs === null) return null;
  return {
    names,
    count: inputs.count,
    form: inputs.form,
    inputs: inputs.values,
    classes,
    targets,
    tags,
    masks,
    groups,
  };
}

const shapeText = ({ type, shape }: Pick<NumericArray, 'type' | 'shape'>): string => `[${shape.join(', ')}] of ${type}`;

function formOf(found: Pick<NumericArray, 'type' | 'shape'>, file: string): Form {
  const { type, shape } = found;
  const [count, a = 1, b = 1, c = 1] = shape;
  if (count === undefined || shape.length > 4 || shape.includes(0)) {
    const message = `the array is ${shapeText(found)}; expected 1 to 4 axes, none of them empty`;
    throw userError(
      file,
      'unsupported-shape',
      message,
      'reshape to [count, features], [count, steps, channels] or [count, height, width, channels]',
    );
  }
  const isPixels = type === 'uint8' && shape.length >= 3;
  if (shape.length === 4) return { isPixels, image: { height: a, width: b, channels: c } };
  if (isPixels) return { isPixels, image: { height: a, width: b, channels: 1 } };
  if (shape.length === 3) return { isPixels, image: { height: 1, width: a, channels: b } };
  return { isPixels, image: { height: 1, width: 1, channels: a } };
}

/** Elements that are in memory at once. */
const pieceElements = 2 ** 20;

/** Reads an array piece by piece; null where its values are a mistake. */
async function collectInputs(
  { read, shape: [count = 0], shape, close }: NumericRows & { readonly close: () => void },
  { image: { height, width, channels }, isPixels }: Form,
  file: string,
  mistakes: Mistakes,
  { collector: collectorOf, turn }: Decoding,
): Promise<Inputs | null> {
  const size = height * width * channels;
  const collector = collectorOf(isPixels ? 'pixels' : 'reals', size);
  const reals = realConverter(file, shape);
  const rows = Math.max(1, Math.floor(pieceElements / size));
  for (let first = 0; first < count; first += rows) {
    const data = read(first, Math.min(rows, count - first));
    collector.add(isPixels && data instanceof Uint8Array ? data : reals.convert(data));
    await turn();
  }
  close();
  const isWrong = mistakes.attempt(reals.check) === null;
  const inputs = collector.finish();
  return isWrong ? null : inputs;
}

function realsOf({ data, shape }: NumericArray, file: string): Float32Array {
  const { convert, check } = realConverter(file, shape);
  const values = convert(data);
  check();
  return values;
}

/** Makes elements float32, piece by piece; `check` throws UserError `not-finite` where float32 cannot hold one. */
function realConverter(file: string, shape: readonly number[]) {
  let [seen, wrong] = [0, 0];
  let first = { at: 0, value: '' };
  return {
    convert: (data: NumericData): Float32Array => {
      const values = new Float32Array(data.length);
      for (let at = 0; at < data.length; at++) {
        const value = Math.fround(Number(data[at]));
        values[at] = value;
        if (Number.isFinite(value)) continue;
        if (wrong++ === 0) first = { at: seen + at, value: String(data[at]) };
      }
      seen += data.length;
      return values;
    },
    check: (): void => {
      if (wrong === 0) return;
      const others = wrong === 1 ? '' : `, and so are ${wrong - 1} more`;
      const place = positionOf(first.at, shape).join(', ');
      const message = `the value at [${place}] is ${first.value}, not a finite float32${others}`;
      throw userError(file, 'not-finite', message, 'leave these examples out, or replace them with numpy.nan_to_num');
    },
  };
}

/** The indices of an element. */
function positionOf(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = (rest - index) / size;
      return index;
    })
    .reverse();
}

function classesOf(found: NumericArray, file: string): ClassValues {
  const { shape } = found;
  if (shape.length === 1 || shape[1] === 1) return { values: wholeNumbers(found, file, 'classes'), columns: null };
  const values = oneHotClasses(found);
  if (values !== null) return { values, columns: shape[1]! };
  const message = `the array is ${shapeText(found)} and not one-hot; expected a class for each example`;
  const hint = 'give whole numbers [count], or rows with one 1 among zeros; numbers to learn are `targets`';
  throw userError(file, 'wrong-classes', message, hint);
}

/** The position of the one in each row; null where a row is not one 1 among zeros. */
function oneHotClasses({ data, shape }: NumericArray): number[] | null {
  const [count = 0, columns = 0] = shape;
  if (shape.length !== 2) return null;
  const classes: number[] = [];
  for (let row = 0; row < count; row++) {
    let found = -1;
    for (let column = 0; column < columns; column++) {
      const value = Number(data[row * columns + column]);
      if (value === 0) continue;
      if (value !== 1 || found >= 0) return null;
      found = column;
    }
    if (found < 0) return null;
    classes.push(found);
  }
  return classes;
}

function wholeNumbers(found: NumericArray, file: string, what: string): number[] {
  const { data, shape } = found;
  if (shape.slice(1).some((size) => size !== 1)) {
    throw userError(
      file,
      `wrong-${what}`,
      `the array is ${shapeText(found)}; expected [count]`,
      'give one for each example',
    );
  }
  return Array.from<number | bigint, number>(data, (element, row) => {
    const value = Number(element);
    if (Number.isSafeInteger(value)) return value;
    const message = `the value at [${row}] is ${String(element)}; expected whole numbers`;
    throw userError(file, `wrong-${what}`, message, 'give whole numbers; numbers to learn are `targets`');
  });
}

function targetsOf(found: NumericArray, file: string, what: 'targets' | 'labels' = 'targets') {
  const { shape } = found;
  if (shape.length > 2 || shape.includes(0)) {
    const message = `the array is ${shapeText(found)}; expected [count] or [count, ${what}]`;
    if (what === 'labels') throw userError(file, 'wrong-labels', message, 'reshape it');
    throw userError(file, 'wrong-targets', message, 'reshape it');
  }
  return { values: realsOf(found, file), columns: shape[1] ?? 1 };
}

function tagsOf(found: NumericArray, file: string) {
  const { values, columns } = targetsOf(found, file, 'labels');
  const wrong = values.findIndex((value) => value !== 0 && value !== 1);
  if (wrong < 0) return { values, columns };
  const at = `[${Math.floor(wrong / columns)}, ${wrong % columns}]`;
  const message = `the value at ${at} is ${values[wrong]}; expected 0 or 1`;
  throw userError(
    file,
    'wrong-labels',
    message,
    'numbers to learn are `targets`, one class for each example is `class`',
  );
}

/** As many as a mask's byte can tell apart. */
const mostMaskClasses = 256;

function masksOf(found: NumericArray, file: string, image: ImageShape | undefined): Uint8Array {
  const { data, shape } = found;
  const [, height, width, channels = 1] = shape;
  if (image !== undefined && (height !== image.height || width !== image.width || channels !== 1)) {
    const expected = `[count, ${image.height}, ${image.width}]`;
    throw userError(
      file,
      'wrong-masks',
      `the array is ${shapeText(found)}; expected ${expected}`,
      'give a class for each pixel',
    );
  }
  return Uint8Array.from<number | bigint>(data, (element, at) => {
    const value = Number(element);
    if (Number.isInteger(value) && value >= 0 && value < mostMaskClasses) return value;
    const position = positionOf(at, shape).join(', ');
    const message = `the value at [${position}] is ${String(element)}; expected a class, a whole number from 0 to ${mostMaskClasses - 1}`;
    throw userError(file, 'wrong-masks', message, 'number the classes from 0');
  });
}

/** Of very many: a call does not take as many arguments. */
const largest = (values: Uint8Array): number => values.reduce((most, value) => Math.max(most, value), 0);

// Together

/** @throws UserError where a part is not as the training part */
function checkAlike(path: string, train: PartData, part: PartData): void {
  const text = ({ form: { image, isPixels } }: PartData): string =>
    `${image.height}x${image.width}x${image.channels} of ${isPixels ? 'pixels' : 'real values'}`;
  const differs = (name: string, message: string) =>
    userError(
      `${path}/${name}`,
      'different-arrays',
      message,
      'give arrays that differ from those for training in their count only',
    );
  if (text(train) !== text(part)) {
    throw differs(part.names.inputs, `the examples are ${text(part)}, those for training ${text(train)}`);
  }
  if (train.classes?.columns !== part.classes?.columns) {
    const form = ({ classes }: PartData): string =>
      classes?.columns == null ? 'numbers' : `one-hot in ${classes.columns} columns`;
    throw differs(part.names.class ?? '', `the classes are ${form(part)}, those for training ${form(train)}`);
  }
  if (train.tags?.columns !== part.tags?.columns) {
    const message = `an example has ${counted(part.tags?.columns ?? 0, 'label')}, one for training ${train.tags?.columns ?? 0}`;
    throw differs(part.names.labels ?? '', message);
  }
  const [trained, other] = [train, part].map(({ masks }) => (masks === null ? 0 : largest(masks)));
  if (other! > trained!) {
    throw userError(
      `${path}/${part.names.masks ?? ''}`,
      'untrained-class',
      `the masks have class ${other}, which no training mask has`,
      'leave such examples out, or train with some',
    );
  }
  if (train.targets?.columns !== part.targets?.columns) {
    const message = `an example has ${counted(part.targets?.columns ?? 0, 'target')}, one for training ${train.targets?.columns ?? 0}`;
    throw differs(part.names.targets ?? '', message);
  }
}

/** As many as labels can tell apart. */
const mostClasses = 2 ** 16;

/** Those of the training part, ascending; of one-hot arrays one for each column. */
function classNamesOf(path: string, { classes, masks, names }: PartData): readonly number[] {
  if (masks !== null) return Array.from({ length: largest(masks) + 1 }, (_, label) => label);
  if (classes === null) return [];
  const { values, columns } = classes;
  if (columns !== null) return Array.from({ length: columns }, (_, column) => column);
  const found = [...new Set(values)].sort((a, b) => a - b);
  if (found.length <= mostClasses) return found;
  const message = `there are ${found.length} different numbers; expected at most ${mostClasses} classes`;
  throw userError(`${path}/${names.class ?? ''}`, 'too-many-classes', message, 'numbers to learn are `targets`');
}

function examplesOf(path: string, part: PartData, classNames: readonly number[]): PartExamples {
  const { names, count, inputs, classes, targets, tags, masks, groups } = part;
  const labelOf = new Map(classNames.map((name, label) => [name, label]));
  const labels =
    classes &&
    Uint16Array.from(classes.values, (value, row) => {
      const label = labelOf.get(value);
      if (label !== undefined) return label;
      const message = `the class at [${row}] is ${value}, which no training example has`;
      throw userError(
        `${path}/${names.class ?? ''}`,
        'untrained-class',
        message,
        'leave such examples out, or train with some; numbers to learn are `targets`',
      );
    });
  const split: Split = {
    count,
    inputs,
    labels,
    targets: (tags ?? targets)?.values ?? null,
    ...(masks !== null && { masks: inputsOf(masks, masks.length / count) }),
  };
  const nameOf = (row: number): string => `${names.inputs}[${row}]`;
  return { split, nameOf, recordings: groups && numbered(groups) };
}

/** Of the columns of an array. */
function numberedNames(name = '', columns: number): string[] {
  return columns === 1 ? [name] : Array.from({ length: columns }, (_, column) => `${name} ${column + 1}`);
}
