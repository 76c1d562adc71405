import { constants, copyFile, lstat, mkdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import type { Static, TObject } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { findProgram } from '../core/programs.ts';
import { mapValues } from '../core/records.ts';
import { key, memorySize, runtime } from '../core/schema.ts';
import type { StageContext } from '../runner/plan.ts';
import { fileDigest } from '../runner/store.ts';
import { runCommand } from './command.ts';
import type { CommandEnd } from './command.ts';
import { defineStage } from './define.ts';
import type { FieldMistake } from './define.ts';
import { inputPath } from './files.ts';
import type { LocatedOutside, Outside } from './run.ts';

const namePattern = '^[A-Za-z_][A-Za-z0-9_]*$';

/** A map from names to paths. */
const paths = (description: string, options: object) =>
  Type.Unsafe<Readonly<Record<string, string>>>({
    type: 'object',
    additionalProperties: { type: 'string', minLength: 1, ...key('Path of a file') },
    propertyNames: { pattern: namePattern },
    ...key(description),
    ...options,
  });

const produces = 'File/1';

const fields = {
  command: Type.Array(Type.String(), {
    ...key(
      'The program and its arguments. `{inputs.NAME}` and `{outputs.NAME}` stand for the paths of those files. There is no shell: for one, write `[sh, -c, "…"]`',
    ),
    minItems: 1,
    examples: [['python3', 'sizes.py', '{inputs.model}', '{outputs.report}']],
  }),
  inputs: paths('Files of the stages that `from` leads to, under names of your own: `model: model.tflite`', {
    default: {},
  }),
  files: Type.Array(Type.String({ minLength: 1 }), {
    ...key(
      'Files beside the pipeline file, or in folders there, that the program reads: scripts, settings. Their content is in the key',
    ),
    uniqueItems: true,
    default: [],
  }),
  outputs: paths('Files that the program writes into its folder, under names of your own: `report: sizes.json`', {
    minProperties: 1,
  }),
  environment: Type.Array(Type.String({ pattern: namePattern }), {
    ...key(
      'Variables of the environment that the program gets; their values are in the key. Of others it gets `PATH`, `HOME` and `TMPDIR`, which are not in the key unless they are named',
    ),
    uniqueItems: true,
    default: [],
  }),
  tools: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      ...key('Programs whose content is in the key, as `PATH` finds them; default: the one that the command starts'),
      uniqueItems: true,
    }),
  ),
  timeout: Type.Optional(
    Type.Number({
      ...runtime('Seconds after which the program is ended, and the stage fails; default: it may run for ever'),
      exclusiveMinimum: 0,
      maximum: 2_000_000,
    }),
  ),
  threads: Type.Integer({
    ...runtime('Cores that the program keeps busy: with `--jobs`, other stages run beside it on those that are left'),
    minimum: 0,
    default: 1,
  }),
  memory: Type.Optional(
    memorySize(
      runtime(
        'How much memory the program fills: with `--jobs`, stages that say so run side by side only where all of it fits into the machine; default: little',
      ),
    ),
  ),
};

type ExecConfig = Static<TObject<typeof fields>>;

export const exec = defineStage({
  kind: 'exec',
  revision: 1,
  description:
    'Runs a program of your own in an empty folder, which gets the files that are named here; the files that it writes are kept',
  from: {
    accepts: [
      ...(['FloatModel/2', 'QatModel/2', 'EvalGraph/1', 'Checkpoint/1', 'FrozenGraph/1', 'Tflite/1'] as const),
      ...(['TestReport/1', 'Export/1', produces] as const),
    ],
    optional: true,
  },
  produces,
  uses: [],
  inputs: ({ inputs }) => mapValues(inputs, (file) => ({ file, optional: false })),
  outputs: ({ outputs }) => mapValues(outputs, (file) => ({ type: produces, file: normalize(file) })),
  fields,
  mistakes: ({ command, inputs, files, outputs }) => [
    ...command.flatMap((text, index) => placeholderMistakes(text, index, { inputs, outputs })),
    ...files.flatMap((file, index) => leaving(file, ['files', String(index)], 'the folder of the pipeline file')),
    ...Object.entries(outputs).flatMap(([name, file]) => [
      ...leaving(file, ['outputs', name], "the stage's folder"),
      ...takenMistakes(name, { outputs, files }),
    ]),
  ],
  outside: look,
  needs: ({ threads, memory }) => ({ threads, ...(memory !== undefined && { memory }) }),

  async run(config, context, environment) {
    const outside = environment.outside();
    await layOut(config, context, outside);
    const line = config.command.map((text) => replaced(text, config));
    const end = await runCommand({
      ...{ line, folder: context.directory, variables: variablesOf(outside) },
      timeout: config.timeout ?? null,
      signal: context.signal,
      say: (message) => context.emit({ kind: 'log', message }),
    });
    const { places } = outside;
    if (end.kind !== 'status' || end.detail !== '0') throw failure(end, line[0] ?? '', places);
    await checkWritten(config.outputs, context.directory, places);
    return { metrics: {} };
  },
});

/** The folder, in that of the stage, with the files of other stages. */
const inputFolder = 'inputs';

const placeholder = /\{(inputs?|outputs?)\.([^{}]*)\}/g;

function replaced(text: string, { inputs, outputs }: Pick<ExecConfig, 'inputs' | 'outputs'>): string {
  return text.replaceAll(placeholder, (_whole, group: string, name: string) =>
    group === 'inputs' ? join(inputFolder, inputs[name] ?? '') : normalize(outputs[name] ?? ''),
  );
}

function placeholderMistakes(
  text: string,
  index: number,
  config: Pick<ExecConfig, 'inputs' | 'outputs'>,
): readonly FieldMistake[] {
  const known = Object.entries({ inputs: config.inputs, outputs: config.outputs }).flatMap(([group, files]) =>
    Object.keys(files).map((name) => `{${group}.${name}}`),
  );
  return [...text.matchAll(placeholder)].flatMap(([whole]) =>
    known.includes(whole)
      ? []
      : [
          {
            code: 'unknown-placeholder',
            path: ['command', String(index)],
            message: `\`${whole}\` stands for nothing; the stage has ${known.map((name) => `\`${name}\``).join(', ')}`,
            hint: 'use one of these, or add the file to `inputs` or `outputs`',
          },
        ],
  );
}

function leaving(file: string, path: readonly string[], what: string): readonly FieldMistake[] {
  const plain = normalize(file);
  const isInside = !isAbsolute(plain) && plain !== '.' && plain !== '..' && !/^\.\.[\\/]|[\\/]$/.test(plain);
  if (isInside) return [];
  return [
    {
      code: 'outside-folder',
      path,
      message: `\`${file}\` is no file in ${what}; expected a path such as \`report.json\` or \`results/report.json\``,
      hint: path[0] === 'files' ? 'move the file there, or put a link to it there' : 'remove what leads elsewhere',
    },
  ];
}

/** An output in the place of another, or of a file that lies there before. */
function takenMistakes(
  name: string,
  { outputs, files }: Pick<ExecConfig, 'outputs' | 'files'>,
): readonly FieldMistake[] {
  const file = normalize(outputs[name] ?? '');
  const before = Object.keys(outputs).slice(0, Object.keys(outputs).indexOf(name));
  const other = before.find((each) => normalize(outputs[each] ?? '') === file);
  const by =
    other !== undefined
      ? `\`outputs.${other}\``
      : files.some((each) => normalize(each) === file)
        ? '`files`'
        : file.split('/')[0] === inputFolder
          ? 'the folder of the inputs'
          : null;
  if (by === null) return [];
  const message = `\`${file}\` is taken by ${by}; expected a path of its own`;
  return [{ code: 'taken-path', path: ['outputs', name], message, hint: 'choose another name' }];
}

/** Finds files, programs and variables. */
async function look(
  { command, files, environment, tools }: ExecConfig,
  folder: string,
): Promise<{ readonly found: Outside; readonly mistakes: readonly FieldMistake[] }> {
  const variables = Object.fromEntries(environment.map((name) => [name, process.env[name] ?? null]));
  const found: Outside = { inputs: {}, variables, paths: {} };
  const inputs: Record<string, Outside['inputs'][string]> = {};
  const filePaths: Record<string, string> = {};
  const mistakes: FieldMistake[] = [];
  for (const [index, file] of files.entries()) {
    const path = join(folder, file);
    const digest = await digestOf(path);
    filePaths[file] = path;
    if (digest !== null) inputs[fileInput(file)] = { type: produces, digest };
    else {
      const message = `there is no file ${path}`;
      const hint = 'correct the path, which is relative to the pipeline file; of a folder, name its files';
      mistakes.push({ code: 'missing-file', path: ['files', String(index)], message, hint });
    }
  }
  const [program = ''] = command;
  const isOwn = program.includes('{') || (program.includes('/') && !isAbsolute(program));
  const programs = [
    ...(isOwn ? [] : [{ name: program, path: ['command', '0'], isKeyed: tools === undefined }]),
    ...(tools ?? []).map((name, index) => ({ name, path: ['tools', String(index)], isKeyed: true })),
  ];
  for (const { name, path, isKeyed } of programs) {
    const file = findProgram(name);
    const digest = file === null || !isKeyed ? null : await digestOf(file);
    if (digest !== null) inputs[`tool ${name}`] = { type: 'Program/1', digest };
    if (file !== null) continue;
    const where = name.includes('/') ? 'there is no program' : '`PATH` has no program';
    mistakes.push({
      ...{ code: 'missing-program', path, message: `${where} \`${name}\`` },
      hint: name.includes(' ')
        ? 'write the arguments as items of their own; for a shell, write `[sh, -c, "…"]`'
        : 'install it, or correct its name',
    });
  }
  return { found: { ...found, inputs, paths: filePaths }, mistakes };
}

const fileInput = (file: string): string => `file ${file}`;

/** Null for what is no file, or cannot be read. */
const digestOf = (path: string) => fileDigest(path).catch(() => null);

/** Of the environment, what a program hardly runs without, and what was named. */
function variablesOf({ variables }: LocatedOutside): Record<string, string> {
  const usual = ['PATH', 'HOME', 'TMPDIR'].map((name) => [name, process.env[name] ?? null] as const);
  const all: Readonly<Record<string, string | null>> = {
    ...Object.fromEntries(usual),
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    ...variables,
  };
  return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

/** Copies all that the program may read into its folder, so that it cannot change the originals. */
async function layOut(
  { inputs, files, outputs }: Pick<ExecConfig, 'inputs' | 'files' | 'outputs'>,
  context: StageContext,
  { inputs: digests, paths: filePaths, places }: LocatedOutside,
): Promise<void> {
  const { directory } = context;
  const put = async (from: string, to: string): Promise<string> => {
    const target = join(directory, to);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target, constants.COPYFILE_FICLONE);
    return target;
  };
  for (const [name, file] of Object.entries(inputs)) await put(inputPath(context, name), join(inputFolder, file));
  for (const file of files) {
    const digest = await put(filePaths[file] ?? '', file).then(digestOf, () => null);
    if (digest !== digests[fileInput(file)]?.digest) {
      throw mistake(places['files'], {
        ...{ code: 'file-changed', message: `\`${file}\` changed while the run began` },
        hint: 'run the pipeline again',
      });
    }
  }
  for (const file of Object.values(outputs)) await mkdir(dirname(join(directory, file)), { recursive: true });
}

const mistake = (place: Place | undefined, rest: Omit<Diagnostic, 'place'>): UserError =>
  new UserError([{ ...rest, place: place ?? { file: 'stage' } }]);

function failure({ kind, detail, last }: CommandEnd, program: string, places: LocatedOutside['places']): UserError {
  const name = basename(program);
  const words = last.length === 0 ? '; it wrote nothing' : `; its last words: ${last.join(' / ')}`;
  const hint = 'its whole output is in the log; `qpipe run` goes on here when the cause is removed';
  const ofCommand = (code: string, message: string): UserError => mistake(places['command'], { code, message, hint });
  switch (kind) {
    case 'timeout':
      return mistake(places['timeout'], {
        ...{ code: 'command-timeout', message: `\`${name}\` was ended after ${detail} s, its time limit${words}` },
        hint: 'raise `timeout`, which runs nothing else again, or give the program less to do',
      });
    case 'signal':
      return ofCommand('command-killed', `\`${name}\` was ended by ${detail}${words}`);
    case 'refused':
      return ofCommand('command-refused', `\`${name}\` could not be started: ${detail}`);
    case 'status':
      return ofCommand('command-failed', `\`${name}\` ended with status ${detail}; expected 0${words}`);
  }
}

async function checkWritten(
  outputs: ExecConfig['outputs'],
  directory: string,
  places: LocatedOutside['places'],
): Promise<void> {
  const missing: Diagnostic[] = [];
  for (const [name, file] of Object.entries(outputs)) {
    // A link may lead to what is not in the key, or is gone tomorrow.
    const status = await lstat(join(directory, file)).catch(() => null);
    if (status?.isFile() === true) continue;
    missing.push({
      code: 'output-not-written',
      place: places[`outputs.${name}`] ?? { file: 'stage' },
      message: `the program ended with status 0, but ${status === null ? 'did not write' : 'made no plain file of'} \`${file}\``,
      hint: `give it the path as \`{outputs.${name}}\`; it runs in a folder of its own`,
    });
  }
  if (missing.length > 0) throw new UserError(missing);
}
