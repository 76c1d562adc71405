import type { Document, Node, Pair } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Diagnostic, Place } from '../core/diagnostic.ts';

/** Keys and indices from the root of a pipeline file to a value, for example ['stages', 'qat', 'delay']. */
export type Path = readonly string[];

/** Finds a value in the file, or its key; of a value that the file does not have, the map it is missing from. */
export type Locate = (path: Path, part: 'key' | 'value') => Place;

/** A YAML file with positions. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** Parses without judging; `yamlDiagnostics` says what is wrong. */
export function parseSource(file: string, text: string): Source {
  const lines = new LineCounter();
  return { file, text, lines, document: parseDocument(text, { lineCounter: lines, prettyErrors: false }) };
}

/** What the YAML itself has wrong: syntax, keys written twice, tags that mean nothing. */
export function yamlDiagnostics(source: Source): Diagnostic[] {
  return [...source.document.errors, ...source.document.warnings].map((error) => {
    const place = placeOf(source, error.pos[0], error.pos[1]);
    if (error.code !== 'DUPLICATE_KEY') return { code: 'yaml-syntax', place, message: error.message };
    const name = /^[^\s:]*/.exec(source.text.slice(error.pos[0]))?.[0] ?? '';
    return {
      code: 'duplicate-key',
      place: placeOf(source, error.pos[0], error.pos[0] + name.length),
      message: `the key \`${name}\` is written twice in the same map`,
      hint: 'keep one of the two',
    };
  });
}

export function locateIn(source: Source): Locate {
  return (path, part) => {
    const found = walk(source.document, path);
    const target =
      part === 'value' && found.complete && !isEmpty(found.value) ? found.value : (found.key ?? found.value);
    const node = found.complete ? target : (found.key ?? firstKey(found.value) ?? found.value);
    return node?.range ? placeOf(source, node.range[0], node.range[1]) : { file: source.file };
  };
}

interface Found {
  /** Null at the root and in lists. */
  readonly key: Node | null;
  readonly value: Node | null;
  /** Whether the path was walked to its end; otherwise this is the last node that exists. */
  readonly complete: boolean;
}

function walk(document: Document, path: Path): Found {
  let found: Found = { key: null, value: document.contents, complete: true };
  for (const segment of path) {
    const container = isAlias(found.value) ? found.value.resolve(document) : found.value;
    if (isMap(container)) {
      const pair: Pair | undefined = container.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === segment,
      );
      if (pair === undefined) return { ...found, complete: false };
      found = { key: asNode(pair.key), value: asNode(pair.value), complete: true };
    } else if (isSeq(container) && container.items[Number(segment)] !== undefined) {
      found = { key: null, value: asNode(container.items[Number(segment)]), complete: true };
    } else {
      return { ...found, complete: false };
    }
  }
  return found;
}

const asNode = (value: unknown): Node | null => (isNode(value) ? value : null);

const isEmpty = (node: Node | null): boolean => node?.range == null || node.range[0] === node.range[1];

const firstKey = (node: Node | null): Node | null => (isMap(node) ? asNode(node.items[0]?.key) : null);

/** The caret run ends with the line, and before the spaces at its end. */
function placeOf(source: Source, start: number, end: number): Place {
  const { line, col } = source.lines.linePos(start);
  const lineStart = start - (col - 1);
  const text = /^.*/.exec(source.text.slice(lineStart))?.[0] ?? '';
  const run = source.text.slice(start, Math.min(end, lineStart + text.length)).trimEnd();
  return { file: source.file, line, column: col, source: { text, length: Math.max(1, run.length) } };
}
