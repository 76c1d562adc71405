import type { Document, Node, Pair } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml';
import type { Place } from '../core/diagnostic.ts';

/** Keys and indices from the root of a pipeline file to a value, for example ['stages', 'qat', 'delay']. */
export type Path = readonly string[];

/** Finds a value in the file, or its key; of a value that the file does not have, the map it is missing from. */
export type Locate = (path: Path, part: 'key' | 'value') => Place;

/** A YAML file with positions. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly document: Document;
  /** Where each line begins in `text`. */
  readonly lineStarts: readonly number[];
}

/** Parses without judging; `yamlDiagnostics` says what is wrong. */
export function parseSource(file: string, text: string): Source {
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  return { file, text, lineStarts, document: parseDocument(text, { prettyErrors: false, stringKeys: true }) };
}

/** Whether the file itself has a value at the path. */
export function existsIn(source: Source): (path: Path) => boolean {
  return (path) => walk(source.document, path).complete;
}

export function locateIn(source: Source): Locate {
  return (path, part) => {
    const found = walk(source.document, path);
    const target =
      part === 'value' && found.complete && !isEmpty(found.value) ? found.value : (found.key ?? found.value);
    const node = found.complete ? target : (found.key ?? firstKey(found.value) ?? found.value);
    const [start, end] = node?.range ?? [0, 0];
    return placeOf(source, start, end);
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

/** 1-based. */
export function lineOf({ lineStarts }: Source, offset: number): number {
  const next = lineStarts.findIndex((start) => start > offset);
  return next < 0 ? lineStarts.length : next;
}

/** The caret run ends with the line, and before the spaces at its end. */
export function placeOf(source: Source, start: number, end: number): Place {
  const line = lineOf(source, start);
  const lineStart = source.lineStarts[line - 1] ?? 0;
  const text = /^.*/.exec(source.text.slice(lineStart))?.[0] ?? '';
  const run = source.text.slice(start, Math.min(end, lineStart + text.length)).trimEnd();
  return {
    file: source.file,
    line,
    column: start - lineStart + 1,
    source: { text, length: Math.max(1, run.length) },
  };
}
