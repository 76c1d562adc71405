/** Damages pipelines as people and editors do, and judges what is said of them. */
import { parsePipeline } from '../../src/config/load.ts';
import { UserError } from '../../src/core/diagnostic.ts';
import type { Random } from '../../src/core/random.ts';
import { createRandom } from '../../src/core/random.ts';

const tokens = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    ':',
    ': ',
    '- ',
    '#',
    '&a ',
    '*a',
    '!x ',
    '!!binary ',
    '|',
    '>',
    '%',
    '@',
    '`',
    '? ',
  ],
  ...['\t', '\n', '\r', ' ', '  ', '---\n', '...\n', '<<: ', '\0', '\u001b[2J', '\ufeff', 'é', '深', '🎉', '\\'],
  ...['null', '~', 'yes', '.nan', '-.inf', '1e400', '0x10', '90 %', '1 epoch', '3x3', '64k', '-1', '0', '1e15', "''"],
  ...['constructor', '__proto__', 'toString', 'hasOwnProperty', 'layers', 'preset', 'uses', 'from', 'kind', 'gates'],
];

type Edit = (text: string, random: Random) => string;

const pick = <T>(choices: readonly T[], random: Random): T => choices[random.below(choices.length)]!;

/** Words and numbers with their places: what mistakes are usually made in. */
function wordIn(text: string, random: Random): readonly [start: number, end: number] {
  const words = [...text.matchAll(/[\w./-]+/g)];
  const word = words.length === 0 ? null : pick(words, random);
  return word === null ? [0, 0] : [word.index, word.index + word[0].length];
}

const edits: readonly Edit[] = [
  (text, random) => {
    const at = random.below(text.length + 1);
    return text.slice(0, at) + pick(tokens, random) + text.slice(at);
  },
  (text, random) => {
    const at = random.below(text.length + 1);
    return text.slice(0, at) + text.slice(at + 1 + random.below(4));
  },
  (text, random) => {
    const [start, end] = wordIn(text, random);
    return text.slice(0, start) + pick(tokens, random) + text.slice(end);
  },
  (text, random) => {
    const [start, end] = wordIn(text, random);
    const [from, to] = wordIn(text, random);
    return text.slice(0, start) + text.slice(from, to) + text.slice(end);
  },
  (text, random) => {
    const lines = text.split('\n');
    const line = random.below(lines.length);
    const moved = lines.splice(line, 1);
    if (random.below(2) === 0) lines.splice(random.below(lines.length + 1), 0, ...moved, ...moved);
    return lines.join('\n');
  },
  (text, random) => {
    const lines = text.split('\n');
    const line = random.below(lines.length);
    lines[line] = ' '.repeat(random.below(6)) + (lines[line] ?? '').trimStart();
    return lines.join('\n');
  },
];

/** One to four edits. */
export function damaged(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random.below(pick([1, 2, 4], random)); left > 0; left--)
    result = pick(edits, random)(result, random);
  return result;
}

// Words that only the insides of qpipe and its libraries use.
const foreign =
  /internal:|\bAjv\b|YAML\.|parseAllDocuments|must (?:be|have|match|NOT)\b|[Ii]mplicit (?:map )?keys?|[Ff]low (?:map|sequence)|\bscalar\b|\btoken\b|node end|undefined|\[object|NaN (?:epoch|step)|\n\s+at /;

export interface TextTally {
  readonly accepted: number;
  readonly refused: number;
  /** Everything that must not be, with the index that makes the text again. */
  readonly faults: readonly string[];
}

/** Damaged copies `0 .. count - 1` of each text in turn. */
export function judgeTexts(texts: readonly string[], seed: number, count: number): TextTally {
  const faults: string[] = [];
  let accepted = 0;
  for (let index = 0; index < count; index++) {
    const text = damaged(texts[index % texts.length] ?? '', createRandom(seed, 'pipelines', String(index)));
    const fault = (what: string): void => void faults.push(`seed ${seed}, text ${index}: ${what}\n${text}`);
    try {
      parsePipeline(text, 'p.yaml');
      accepted++;
    } catch (error) {
      if (!(error instanceof UserError)) fault(error instanceof Error ? (error.stack ?? error.message) : String(error));
      else for (const problem of faultsOf(error)) fault(problem);
    }
  }
  return { accepted, refused: count - accepted, faults };
}

/** A hint, or a message that already lists what is possible. */
function saysWhatToDo(message: string, hint: string | undefined): boolean {
  return hint === undefined ? /; expected (?:one of|a text like) `/.test(message) : !/^\s*$|\bone of $/.test(hint);
}

function faultsOf({ diagnostics, exitCode }: UserError): string[] {
  const found = diagnostics.flatMap(({ code, place, message, hint }) => {
    const said = `${code}: ${message}; hint: ${hint ?? 'none'}`;
    return [
      ...(place.line === undefined || place.line < 1 || (place.column ?? 0) < 1 ? [`no place: ${said}`] : []),
      ...(saysWhatToDo(message, hint) ? [] : [`no remedy: ${said}`]),
      ...(foreign.test(said) ? [`foreign words: ${said}`] : []),
      ...(said.length > 1000 ? [`${said.length} letters: ${said.slice(0, 300)}`] : []),
    ];
  });
  return exitCode === 64 ? found : [...found, `exit code ${exitCode}`];
}
