/** What is wrong with a file as YAML, in sentences of our own: the library's are about its inner workings. */
import type { CST, ErrorCode, Node, YAMLError } from 'yaml';
import { isAlias, isNode, Parser, visit } from 'yaml';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Source } from './source.ts';
import { lineOf, placeOf } from './source.ts';
import { didYouMean } from './suggest.ts';

/** All mistakes that keep the file from being a tree of maps, lists and values. */
export function yamlDiagnostics(source: Source): Diagnostic[] {
  // An unclosed bracket or quote swallows what follows; errors in there are consequences.
  const open = unclosed(source);
  if (open.length > 0) return open;
  const errors = independent([...source.document.errors, ...source.document.warnings]);
  const diagnostics = onePerLine(errors.map((error) => ofError(source, error)));
  return diagnostics.length > 0 ? diagnostics : nodeDiagnostics(source);
}

interface Sentence {
  readonly message: string;
  readonly hint: string;
}

const notKeyValue = (found: string): Sentence => ({
  message: `\`${found}\` is not of the form \`key: value\``,
  hint: 'write a colon and a space after the key, or `- ` before a list item',
});

/**
 * One sentence for each code of the library.
 *
 * @param found the text at the mistake, at most a line of it
 * @param rest the file from the mistake on
 */
const sentences: { readonly [C in ErrorCode]: (found: string, rest: string) => Sentence } = {
  ALIAS_PROPS: () => ({
    message: 'an alias stands for a whole value; it cannot have an anchor or a tag of its own',
    hint: 'remove what is before the `*`',
  }),
  BAD_ALIAS: () => ({
    message: 'an anchor or alias has no name, or its name ends with `:`',
    hint: 'for example `&rate 0.01` where the value is written, and `*rate` where it is used again',
  }),
  BAD_COLLECTION_TYPE: (found) => ({
    message: `the tag \`${found}\` is for another kind of value`,
    hint: 'remove the tag; a pipeline needs none',
  }),
  BAD_DIRECTIVE: (found) => ({
    message: `\`${found}\` begins with \`%\`, which YAML reserves for directives`,
    hint: 'remove the line, or begin it with `#` if it is a comment',
  }),
  BAD_DQ_ESCAPE: (found) => ({
    message: `\`${found.slice(0, 2)}\` is not a valid escape in double quotes`,
    hint: 'write `\\\\` for a backslash, or use single quotes',
  }),
  BAD_INDENT: () => ({
    message: 'the indentation of this line matches no map or list around it',
    hint: 'indent it like the other keys or items of the same map or list',
  }),
  BAD_PROP_ORDER: () => ({
    message: 'an anchor or tag is before the `-`, `?` or `:` that begins the value',
    hint: 'move it after that sign',
  }),
  BAD_SCALAR_START: (found) => ({
    message: `a value cannot begin with \`${found.slice(0, 1)}\``,
    hint: 'put the value in quotes',
  }),
  BLOCK_AS_IMPLICIT_KEY: (found) =>
    /:(\s|$)/.test(found)
      ? {
          message: `a second \`key: value\` begins on the same line, at \`${found}\``,
          hint: 'start a new line for it; put a text that contains `: ` in quotes',
        }
      : {
          message: 'the line below is indented further, as if it were part of this value',
          hint: 'start the line below in the same column as the key of this one',
        },
  BLOCK_IN_FLOW: (found) => ({
    message: `inside \`{ }\` or \`[ ]\` a second \`key: value\` begins without a comma, at \`${found}\``,
    hint: 'separate entries by commas, and put a text that contains `: ` in quotes',
  }),
  DUPLICATE_KEY: (found) => ({
    message: `the key \`${/^(?:"[^"]*"|'[^']*'|[^\s:]*)/.exec(found)?.[0] ?? found}\` is written twice in the same map`,
    hint: 'keep one of the two',
  }),
  IMPOSSIBLE: notKeyValue,
  KEY_OVER_1024_CHARS: () => ({
    message: 'a key is longer than 1024 characters',
    hint: 'look for a missing line break or quote',
  }),
  MISSING_CHAR: (found) => {
    if (found.startsWith('#')) {
      return {
        message: 'a comment begins directly after a value',
        hint: 'put a space before the `#`, or quotes around a text that contains it',
      };
    }
    return notKeyValue(found);
  },
  MULTILINE_IMPLICIT_KEY: notKeyValue,
  MULTIPLE_ANCHORS: () => ({ message: 'a value has two anchors', hint: 'keep one of the two' }),
  MULTIPLE_DOCS: () => ({
    message: 'a second document begins here; a pipeline file holds one',
    hint: 'remove the line `---` or `...`, or put the second pipeline into a file of its own',
  }),
  MULTIPLE_TAGS: () => ({ message: 'a value has two tags', hint: 'remove them; a pipeline needs none' }),
  NON_STRING_KEY: (found) => ({
    message: `\`${found}\` cannot be a key; a key is a single text`,
    hint: 'write `key: value`, or put the key in quotes',
  }),
  RESOURCE_EXHAUSTION: () => ({
    message: 'maps and lists are nested too deeply',
    hint: 'a pipeline has only a few levels: look for brackets or dashes repeated by mistake',
  }),
  TAB_AS_INDENT: () => ({ message: 'this line is indented by a tab', hint: 'indent by spaces' }),
  TAG_RESOLVE_FAILED: (found) => unknownTag(/^\S*/.exec(found)?.[0] ?? found),
  UNEXPECTED_TOKEN: (found) => ({
    message: `\`${found}\` is not allowed here`,
    hint: 'remove it, or put quotes around the whole value that it is part of',
  }),
};

function unknownTag(tag: string): Sentence {
  return {
    message: `the tag \`${tag}\` has no meaning in a pipeline`,
    hint: 'remove it, or put a text that begins with `!` in quotes',
  };
}

/** Mistakes after which the library still knows where maps and lists begin and end. */
const local: ReadonlySet<ErrorCode> = new Set([
  ...(['TAB_AS_INDENT', 'DUPLICATE_KEY', 'BAD_DQ_ESCAPE', 'BAD_SCALAR_START', 'TAG_RESOLVE_FAILED'] as const),
  ...(['NON_STRING_KEY', 'MULTIPLE_ANCHORS', 'MULTIPLE_TAGS', 'BAD_ALIAS', 'ALIAS_PROPS'] as const),
]);

/** Of the others only the first, unless a tab has shifted it: the rest is likely to follow from it. */
function independent(errors: readonly YAMLError[]): readonly YAMLError[] {
  const ordered = errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
  const first = ordered.find(({ code }) => code === 'TAB_AS_INDENT' || !local.has(code));
  return ordered.filter((error) => local.has(error.code) || error === first);
}

function ofError(source: Source, error: YAMLError): Diagnostic {
  const [start, end] = startOf(source, error);
  const rest = source.text.slice(start);
  return {
    code: error.code === 'DUPLICATE_KEY' ? 'duplicate-key' : 'yaml-syntax',
    place:
      error.code === 'DUPLICATE_KEY' ? placeOf(source, start, start + keyLength(rest)) : placeOf(source, start, end),
    ...sentences[error.code](lineText(rest), rest),
  };
}

const keyLength = (rest: string): number => /^(?:"[^"]*"|'[^']*'|[^\s:]*)/.exec(rest)?.[0].length ?? 1;

/** Where to look: the library marks the line break in front of a line, or the end of what is missing. */
function startOf({ text }: Source, { code, pos: [start, end] }: YAMLError): readonly [number, number] {
  if (code === 'MULTIPLE_DOCS') {
    const mark = Math.max(text.lastIndexOf('\n---', start), text.lastIndexOf('\n...', start));
    return text.startsWith('---', start) || mark < 0 ? [start, start + 3] : [mark + 1, mark + 4];
  }
  if (code === 'BAD_DQ_ESCAPE' && text[start] !== '\\' && text[start - 1] === '\\') return [start - 1, end];
  if (code === 'BAD_INDENT') {
    const indent = /^[\r\n ]*/.exec(text.slice(start))?.[0].length ?? 0;
    return [start + indent, Math.max(end, start + indent + 1)];
  }
  const breaks = /^[\r\n]+/.exec(text.slice(start))?.[0].length ?? 0;
  return breaks > 0 && start + breaks < text.length
    ? [start + breaks, Math.max(end, start + breaks + 1)]
    : [start, end];
}

const longestFound = 40;

/** The text at the mistake, without surrounding spaces and the comment after it. */
function lineText(rest: string): string {
  const line = (/^[^\r\n]*/.exec(rest)?.[0] ?? '').replace(/(?<=\s)#.*/, '').trim();
  return line.length > longestFound ? `${line.slice(0, longestFound - 1)}…` : line;
}

function onePerLine(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<number | undefined>();
  return diagnostics.filter(({ place: { line } }) => {
    const first = !seen.has(line);
    seen.add(line);
    return first;
  });
}

/** The innermost of more are as likely to be a file of another kind. */
const mostBrackets = 3;

const closers: Readonly<Record<string, string>> = { '{': '}', '[': ']', '"': '"', "'": "'" };

/** Brackets and quotes without an end, each at the place where it opens; a quote hides the brackets around it. */
function unclosed(source: Source): Diagnostic[] {
  const brackets: number[] = [];
  const quotes: number[] = [];
  for (const token of tokensOf(source.text)) {
    if (token.type === 'flow-collection') {
      const { start, end } = token;
      if (!end.some(({ type }) => type === (start.source === '{' ? 'flow-map-end' : 'flow-seq-end'))) {
        brackets.push(start.offset);
      }
    } else if (token.type === 'double-quoted-scalar' || token.type === 'single-quoted-scalar') {
      if (!isClosed(token.source) || swallowsLines(source, token)) quotes.push(token.offset);
    }
  }
  return (quotes.length > 0 ? quotes.slice(0, 1) : brackets.slice(0, mostBrackets)).map((offset): Diagnostic => {
    const opener = source.text[offset] ?? '';
    return {
      code: 'yaml-syntax',
      place: placeOf(source, offset, offset + 1),
      message: `the \`${opener}\` that opens here is not closed${quotes.length > 0 ? ' on its line' : ''}`,
      hint: `add \`${closers[opener] ?? opener}\` where it ends`,
    };
  });
}

const isClosed = (quoted: string): boolean => quoted.length > 1 && quoted.endsWith(quoted.slice(0, 1));

/** Whether a text in quotes ends lines later with something behind it: then that quote should have opened another. */
function swallowsLines(source: Source, { offset, source: quoted }: CST.FlowScalar): boolean {
  if (!quoted.includes('\n')) return false;
  const lastLine = lineOf(source, offset + quoted.length - 1);
  return source.document.errors.some(({ pos }) => lineOf(source, pos[0]) === lastLine);
}

/** All tokens of the file, however deep. */
function* tokensOf(text: string): Generator<CST.Token> {
  const waiting: CST.Token[] = [...new Parser().parse(text)].reverse();
  for (let token = waiting.pop(); token !== undefined; token = waiting.pop()) {
    yield token;
    const inside: (CST.Token | null | undefined)[] = [];
    if ('items' in token) for (const { key, value } of token.items) inside.push(key, value);
    if (token.type === 'document') inside.push(token.value);
    for (const child of inside.reverse()) if (child !== null && child !== undefined) waiting.push(child);
  }
}

const plainTags = ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`);

/**
 * What parses but is not a plain tree: aliases without an anchor or inside their own value, tags that make other
 * objects.
 */
function nodeDiagnostics(source: Source): Diagnostic[] {
  const { document } = source;
  const diagnostics: Diagnostic[] = [];
  const anchors: string[] = [];
  const report = (node: Node, sentence: Sentence): void => {
    const [start, end] = node.range ?? [0, 0];
    diagnostics.push({ code: 'yaml-syntax', place: placeOf(source, start, end), ...sentence });
  };
  visit(document, (_key, node, path) => {
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined) {
        report(node, {
          message: `\`*${node.source}\` refers to a value marked \`&${node.source}\` above it, but there is none`,
          hint:
            anchors.length === 0
              ? `write the value itself, or mark it with \`&${node.source}\` where it is written first`
              : didYouMean(node.source, anchors),
        });
      } else if (path.includes(target)) {
        report(node, {
          message: `\`*${node.source}\` is inside the value that it refers to`,
          hint: 'write the value itself',
        });
      }
      return;
    }
    if (!isNode(node)) return;
    if (node.tag !== undefined && !plainTags.includes(node.tag))
      report(node, unknownTag(node.tag.replace('tag:yaml.org,2002:', '!!')));
    if ('anchor' in node && typeof node.anchor === 'string') anchors.push(node.anchor);
  });
  return diagnostics.length > 0 ? diagnostics : expansionDiagnostics(source);
}

/** Aliases of aliases that would fill the memory; the library counts them only while it makes the values. */
function expansionDiagnostics(source: Source): Diagnostic[] {
  try {
    source.document.toJS();
    return [];
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const place = placeOf(source, Math.max(0, source.text.indexOf('*')), source.text.indexOf('*') + 1);
    const message = 'the aliases of this file expand to more than a hundred times its size';
    return [{ code: 'yaml-syntax', place, message, hint: 'write the values out' }];
  }
}
