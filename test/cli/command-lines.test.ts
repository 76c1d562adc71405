/** Command lines and options that hints, comments and pages quote are those that the program has. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { program } from '../e2e/workspace.ts';

const root = dirname(dirname(program));
const filesBelow = (folder: string, extension: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((file) => join(folder, file));

const sources = filesBelow('src', '.ts');
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];
const texts = [...sources, ...pages, ...filesBelow('pipelines', '.yaml'), ...filesBelow('schemas', '.json')];
/** Those of other programs are in them too. */
const workflows = filesBelow('examples', '.yml');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** What `--help` of the program says: the options of each command, and the commands in it. */
interface CommandHelp {
  readonly options: ReadonlySet<string>;
  readonly examples: readonly string[];
  readonly commands: readonly string[];
}
const table = new Map<string, CommandHelp>();

async function readHelp(path: readonly string[]): Promise<void> {
  const { stdout } = await execa(process.execPath, [program, ...path, '--help']);
  const list = (title: string): string => new RegExp(`^${title}:\\n((?: .*\\n?)*)`, 'm').exec(stdout)?.[1] ?? '';
  const options = [...`${list('Options')}\n${list('Global Options')}`.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)];
  const commands = [...list('Commands').matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
  const known = commands.filter((name) => name !== 'help');
  const examples = [...`${list('Example')}\n${list('Examples')}`.matchAll(/^ {2}(qpipe .*)/gm)].map(
    ([, line = '']) => line,
  );
  table.set(path.join(' '), { options: new Set(options.map(([, name = '']) => name)), commands: known, examples });
  await Promise.all(known.map((name) => readHelp([...path, name])));
}

beforeAll(() => readHelp([]));

/** What is wrong with a command line after `qpipe`; null when nothing is. */
function fault(line: string): string | null {
  const words = line.split(/\s+/).filter((word) => word !== '');
  const path: string[] = [];
  while (table.get(path.join(' '))?.commands.includes(words[path.length] ?? '') === true) {
    path.push(words[path.length] ?? '');
  }
  const name = path.join(' ');
  const { options, commands } = table.get(name) ?? { options: new Set<string>(), commands: [] as readonly string[] };
  const next = words[path.length];
  if (commands.length > 0 && next?.startsWith('--') !== true) return `no command: ${[...path, next ?? ''].join(' ')}`;
  const unknown = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/[^a-z-].*/s, ''));
  const [bad] = unknown.filter((option) => !options.has(option));
  return bad === undefined ? null : `no option ${bad}: ${name}`;
}

/** Sentences that begin with the name. */
const prose = /^(does|reads|pipeline)\b/;

/**
 * Command lines in a text: in code (after a quote, a backtick, `npx` or four spaces), to the end of the code or of the
 * line. Words alone, as in `what qpipe runs`, are no command line.
 */
function commandLines(text: string): string[] {
  const found = text.matchAll(/(?<=['"`]|\bnpx |^ {4}|# )qpipe ((?:[a-z]|--)[^`'"\\\n;,#)&]*)/gm);
  return [...found].map(([, line = '']) => line).filter((line) => !prose.test(line));
}

describe('a command line that is quoted', () => {
  it('is found', () => {
    expect(commandLines("hint: '`qpipe rnu x.yaml` again'")).toEqual(['rnu x.yaml']);
    expect(commandLines('a \\`qpipe run --jsn\\` b')).toEqual(['run --jsn']);
    expect(commandLines("remedy: 'qpipe engine install tensorflow'")).toEqual(['engine install tensorflow']);
    expect(commandLines('what qpipe runs')).toEqual([]);
    expect(texts.flatMap((file) => commandLines(read(file))).length).toBeGreaterThan(35);
    expect(workflows.flatMap((file) => commandLines(read(file)))).toHaveLength(3);
  });

  it('is judged by the program', () => {
    expect(fault('run p.yaml --set a=1 --json')).toBeNull();
    expect(fault('rnu p.yaml')).toBe('no command: rnu');
    expect(fault('engine remove')).toBe('no command: engine remove');
    expect(fault('engine install')).toBeNull();
    expect(fault('inspect --ops')).toBe('no option --ops: inspect');
    expect(fault('--version')).toBeNull();
  });

  it.each([...texts, ...workflows].filter((file) => commandLines(read(file)).length > 0))('in %s exists', (file) => {
    expect(commandLines(read(file)).flatMap((line) => fault(line) ?? [])).toEqual([]);
  });
});

/** Options of other programs that our text names, a decrement and a property of CSS. */
const others = new Set(['--input-type', '--ignore-scripts', '--begin', '--v']);

/** Options in a text. A string in a list that begins with one is an argument for another program. */
function optionsIn(file: string): string[] {
  const text = file.endsWith('.ts') ? read(file).replaceAll(/(?<=[[(,]\s*)['"`]--.*?['"`]/g, '') : read(file);
  const found = [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([option]) => option);
  return found.filter((option) => !others.has(option));
}

describe('an option that is named', () => {
  // The benchmark is a program of its own; the others name properties of CSS.
  const files = texts.filter((file) => file !== 'docs/benchmarks.md' && !/(?:style|zoom)\.ts$/.test(file));
  const naming = files.filter((file) => optionsIn(file).length > 0);

  it('is found', () => expect(naming.flatMap(optionsIn).length).toBeGreaterThan(40));

  it.each(naming)('in %s exists', (file) => {
    const known = new Set([...table.values()].flatMap(({ options }) => [...options]));
    expect(optionsIn(file).filter((option) => !known.has(option))).toEqual([]);
  });
});

describe('the help of a command', () => {
  it('has an example, which is a command line of that command', () => {
    for (const [name, { commands, examples }] of table) {
      if (commands.length > 0) continue;
      expect(examples.length, name).toBeGreaterThan(0);
      expect(examples.filter((line) => !line.startsWith(`qpipe ${name}`) || fault(line.slice(6)) !== null)).toEqual([]);
    }
  });
});

describe('the table of commands in the README', () => {
  it('has a row for each command, with each of its options', () => {
    const rows = read('README.md').split('\n');
    for (const [name, { options, commands }] of table) {
      if (commands.length > 0) continue;
      const row = rows.find((line) => line.startsWith(`| \`qpipe ${name}`)) ?? '';
      expect(row, name).not.toBe('');
      const missing = [...options].filter((option) => !['--help', '--version'].includes(option));
      expect(
        missing.filter((option) => !row.includes(option)),
        name,
      ).toEqual([]);
    }
  });
});
