/**
 * Scripts that complete the command line in a shell, made from the commands themselves. They are text and do not start
 * the program, so that the Tab key answers at once.
 */
import type { Argument, Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** @param program with all its commands */
export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](program.name(), levelsOf(program, []));
}

/** A command with what may follow it. */
interface Level {
  /** Behind the name of the program; empty for the program itself. */
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Flag[];
  /** What its arguments may be; empty where they are files or names. */
  readonly choices: readonly string[];
}

interface Word {
  readonly name: string;
  readonly description: string;
}

interface Flag extends Word {
  /** All spellings, for example `-j` and `--jobs`. */
  readonly names: readonly string[];
  /** `none` for a flag without a value, `words` for one of `choices`, else `text`, which may be a file. */
  readonly value: 'none' | 'words' | 'text';
  readonly choices: readonly string[];
}

function levelsOf(command: Command, path: readonly string[]): readonly Level[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((each) => each.name() !== 'help');
  const own: Level = {
    path,
    commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
    options: help.visibleOptions(command).map(flagOf),
    choices: command.registeredArguments.flatMap(({ argChoices }: Argument) => argChoices ?? []),
  };
  return [own, ...commands.flatMap((each) => levelsOf(each, [...path, each.name()]))];
}

function flagOf({ short, long, description, argChoices, required, optional }: Option): Flag {
  const names = [short, long].filter((name) => name !== undefined);
  const choices = argChoices ?? [];
  const value = required || optional ? (choices.length > 0 ? 'words' : 'text') : 'none';
  return { name: names.at(-1) ?? '', description, names, value, choices };
}

const scripts: Readonly<Record<Shell, (program: string, levels: readonly Level[]) => string>> = {
  bash: (program, levels) => bashScript(program, levels),
  // Its own functions would be another script; this one it understands.
  zsh: (program, levels) =>
    [`#compdef ${program}`, 'autoload -Uz bashcompinit && bashcompinit', bashScript(program, levels)].join('\n'),
  fish: fishScript,
};

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The commands and options of a level, and the values of its options, as branches of two `case`. */
function bashScript(program: string, levels: readonly Level[]): string {
  const name = (path: readonly string[]): string => quoted(path.join(' '));
  const steps = levels.filter(({ path }) => path.length > 0).map(({ path }) => name(path));
  const values = levels.flatMap(({ path, options }) =>
    options.flatMap(({ names, value, choices }) =>
      value === 'none'
        ? []
        : names.map((flag) => `    ${name([...path, flag])}) words=${quoted(choices.join(' '))} ;;`),
    ),
  );
  const words = levels.map(({ path, commands, options, choices }) => {
    const all = [...commands.map((each) => each.name), ...choices];
    const flags = options.flatMap(({ names }) => names);
    return `      ${name(path)}) words=${quoted(all.join(' '))}; flags=${quoted(flags.join(' '))} ;;`;
  });
  return [
    `# Completion of ${program}. Add to the start-up file of the shell: source <(${program} completion bash)`,
    `_${program}() {`,
    '  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= words= flags= at',
    '  for ((at = 1; at < COMP_CWORD; at++)); do',
    '    case "${path:+$path }${COMP_WORDS[at]}" in',
    `      ${steps.join('|')}) path="\${path:+$path }\${COMP_WORDS[at]}" ;;`,
    '    esac',
    '  done',
    '  case "${path:+$path }$before" in',
    ...values,
    '    *)',
    '      case "$path" in',
    ...words.map((line) => `  ${line}`),
    '      esac',
    '      if [[ $current == -* ]]; then words=$flags; fi ;;',
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    '# Without a word that fits, the names of files.',
    `complete -o default -F _${program} ${program}`,
    '',
  ].join('\n');
}

function fishScript(program: string, levels: readonly Level[]): string {
  const lines = levels.flatMap(({ path, commands, options, choices }) => {
    const condition = conditionOf(path, commands);
    const start = `complete -c ${program} -n ${quoted(condition)}`;
    return [
      ...commands.map((each) => `${start} -f -a ${each.name} -d ${quoted(each.description)}`),
      ...(choices.length === 0 ? [] : [`${start} -f -a ${quoted(choices.join(' '))}`]),
      ...options.map(({ names, description, value, choices: words }) => {
        const flags = names.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        const takes = { none: '', words: ` -x -a ${quoted(words.join(' '))}`, text: ' -r' }[value];
        return `${start} ${flags.join(' ')}${takes} -d ${quoted(description)}`;
      }),
    ];
  });
  return [
    `# Completion of ${program}: ${program} completion fish > ~/.config/fish/completions/${program}.fish`,
    ...lines,
    '',
  ].join('\n');
}

function conditionOf(path: readonly string[], commands: readonly Word[]): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const deeper = commands.map(({ name }) => name).join(' ');
  return [...seen, ...(deeper === '' ? [] : [`not __fish_seen_subcommand_from ${deeper}`])].join('; and ');
}
