/** Tables as text: values between commas, semicolons, tabs or blanks. */
import { isUtf8 } from 'node:buffer';
import { CsvError, parse } from 'csv-parse/sync';
import { UserError, userError } from '../core/diagnostic.ts';
import type { Diagnostic, Place } from '../core/diagnostic.ts';

export type Delimiter = 'comma' | 'semicolon' | 'tab' | 'whitespace';

/** By its name in the header, or by its number from 1. */
export type ColumnReference = string | number;

export interface CsvOptions {
  /** Looked for when left out: the first of tab, semicolon and comma that stands equally often in the first lines. */
  readonly delimiter?: Delimiter;
  /**
   * Whether the first row names the columns. When left out, it does if none of its cells is a number and one of the
   * second row is.
   */
  readonly hasHeader?: boolean;
  /**
   * How numbers are written: `point`, the default, as 1234.5; `comma` as 1234,5 or 1.234,5, with points between groups of
   * three digits.
   */
  readonly decimal?: DecimalSign;
}

export type DecimalSign = 'point' | 'comma';

export interface CsvShape {
  readonly delimiter: Delimiter;
  readonly hasHeader: boolean;
  /** The names in the header, else the numbers of the columns from 1. */
  readonly names: readonly string[];
  /** Whether the first row of values has a number in the column. */
  readonly isNumeric: readonly boolean[];
}

export interface CsvRequest extends CsvOptions {
  readonly numbers: readonly ColumnReference[];
  readonly texts?: readonly ColumnReference[];
  /** `skip` leaves out rows that cannot be read and goes on; `refuse`, the default, ends with the first ten of them. */
  readonly broken?: 'refuse' | 'skip';
}

export interface CsvColumns extends CsvShape {
  /** Rows of values that were read. */
  readonly rows: number;
  /** For each requested column a value a row; all are finite. */
  readonly numbers: readonly Float64Array[];
  readonly texts: readonly (readonly string[])[];
  /** The line on which each row ends, from 1. */
  readonly lines: Int32Array;
  /** Rows that were left out, and the first ten mistakes in them. */
  readonly skipped: { readonly rows: number; readonly mistakes: readonly Diagnostic[] };
}

const mostReported = 10;
/** What the delimiter is told by. */
const headBytes = 2 ** 16;
const headLines = 20;

const characters = { comma: ',', semicolon: ';', tab: '\t' } as const satisfies Partial<Record<Delimiter, string>>;

/**
 * Delimiter, header and names, from the first lines.
 *
 * @param bytes UTF-8, with or without a byte order mark
 * @param path named in errors
 * @throws UserError `not-utf8`, `malformed-csv`, `empty-table`
 */
export function readCsvShape(bytes: Uint8Array, path: string, options: CsvOptions = {}): CsvShape {
  const lines = firstLines(bytes, path);
  const delimiter = options.delimiter ?? detectDelimiter(lines);
  const rows: (readonly string[])[] = [];
  forEachRow(bytes, path, delimiter, (cells) => rows.push(cells), 2);
  const [first, second] = rows;
  if (first === undefined)
    throw userError(path, 'empty-table', 'the file has no rows', 'write the rows, or leave it out');
  const isNumber = (cell: string): boolean => Number.isFinite(toNumber(cell, options.decimal));
  const hasHeader = options.hasHeader ?? (!first.some(isNumber) && second?.some(isNumber) === true);
  const names = hasHeader ? first : first.map((_, column) => String(column + 1));
  const values = hasHeader ? (second ?? []) : first;
  return { delimiter, hasHeader, names, isNumeric: names.map((_, column) => isNumber(values[column] ?? '')) };
}

/**
 * Reads the requested columns.
 *
 * @param bytes UTF-8, with or without a byte order mark, lines ended by LF or CRLF; cells may be quoted by `"`
 * @param path named in errors
 * @throws UserError with all of `unknown-column`; then with the first ten of `missing-cell`, `non-numeric-cell`,
 * `not-finite-cell` and `ragged-row`, each with line and column; `malformed-csv`, `not-utf8`, `empty-table`
 */
export function readCsv(bytes: Uint8Array, path: string, request: CsvRequest): CsvColumns {
  const shape = readCsvShape(bytes, path, request);
  if (!isUtf8(bytes)) throw notUtf8(bytes, path);
  const numberColumns = resolveColumns(request.numbers, shape, path);
  const textColumns = resolveColumns(request.texts ?? [], shape, path);
  const capacity = countLines(bytes);
  const numbers = numberColumns.map(() => new Float64Array(capacity));
  const texts = textColumns.map((): string[] => []);
  const lines = new Int32Array(capacity);
  const mistakes = new Mistakes(bytes, path, shape, request.decimal);
  let [rows, skippedRows] = [0, 0];
  let isHeader = shape.hasHeader;
  forEachRow(bytes, path, shape.delimiter, (cells, line) => {
    if (isHeader) {
      isHeader = false;
      return;
    }
    const before = mistakes.count;
    if (cells.length !== shape.names.length) mistakes.ragged(cells, line);
    else {
      for (const [index, column] of numberColumns.entries()) {
        const value = toNumber(cells[column]!, request.decimal);
        if (Number.isFinite(value)) numbers[index]![rows] = value;
        else mistakes.cell(cells, column, line);
      }
    }
    if (mistakes.count > before) {
      skippedRows++;
      return;
    }
    for (const [index, column] of textColumns.entries()) texts[index]!.push(cells[column]!);
    lines[rows++] = line;
  });
  if (mistakes.count > 0 && request.broken !== 'skip') throw new UserError(mistakes.all());
  if (rows === 0)
    throw userError(path, 'empty-table', 'the file has no rows of values', 'write the rows, or leave it out');
  return {
    ...shape,
    ...{ rows, texts, lines: lines.subarray(0, rows) },
    numbers: numbers.map((column) => column.subarray(0, rows)),
    skipped: { rows: skippedRows, mistakes: mistakes.first },
  };
}

/** @returns indices from 0 */
function resolveColumns(references: readonly ColumnReference[], shape: CsvShape, path: string): readonly number[] {
  const { names, hasHeader } = shape;
  const unknown: Diagnostic[] = [];
  const columns = references.map((reference) => {
    const column = typeof reference === 'number' ? reference - 1 : hasHeader ? names.indexOf(reference) : -1;
    const isUnclear = typeof reference === 'string' && names.indexOf(reference, column + 1) > column && column >= 0;
    if (column >= 0 && column < names.length && !isUnclear) return column;
    const name = typeof reference === 'number' ? String(reference) : `"${reference}"`;
    const columnsAre = hasHeader
      ? `the columns are ${names.join(', ')}`
      : `it has ${names.length} columns and no header`;
    unknown.push({
      code: 'unknown-column',
      place: { file: path },
      message: isUnclear ? `two columns are named ${name}` : `there is no column ${name}; ${columnsAre}`,
      hint: hasHeader && !isUnclear ? 'name one of them' : `give numbers from 1 to ${names.length}`,
    });
    return 0;
  });
  if (unknown.length > 0) throw new UserError(unknown);
  return columns;
}

function detectDelimiter(lines: readonly string[]): Delimiter {
  const bare = lines.map((line) => line.replaceAll(/"[^"]*"/g, ''));
  const counts = (delimiter: keyof typeof characters): readonly number[] =>
    bare.map((line) => line.split(characters[delimiter]).length - 1);
  const candidates = ['tab', 'semicolon', 'comma'] as const;
  const even = candidates.find((candidate) => {
    const [first = 0, ...others] = counts(candidate);
    return first > 0 && others.every((count) => count === first);
  });
  if (even !== undefined) return even;
  const total = (candidate: keyof typeof characters): number =>
    counts(candidate).reduce((sum, count) => sum + count, 0);
  return candidates.reduce((best, candidate) => (total(candidate) >= total(best) ? candidate : best));
}

function firstLines(bytes: Uint8Array, path: string): readonly string[] {
  const head = bytes.subarray(0, headBytes);
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (/^(\ufffd\ufffd|\0)/.test(text) || text.includes('\0')) throw notUtf8(bytes, path);
  // The last line may be cut.
  const lines = text.split(/\r?\n/).slice(0, bytes.length > headBytes ? -1 : undefined);
  return lines.filter((line) => line.trim() !== '').slice(0, headLines);
}

function notUtf8(bytes: Uint8Array, path: string): UserError {
  const isWide = bytes[0] === 0xff || bytes[0] === 0xfe;
  const message = isWide ? 'the table is UTF-16; expected UTF-8' : 'the table is not text in UTF-8';
  return userError(path, 'not-utf8', message, 'save it as CSV in UTF-8');
}

function countLines(bytes: Uint8Array): number {
  let count = 1;
  for (const byte of bytes) if (byte === 10 || byte === 13) count++;
  return count;
}

/**
 * @param visit gets the cells of a row without blanks around them, and the line on which the row ends; empty lines are
 * passed over
 * @param most rows, after which the file is not looked at
 */
function forEachRow(
  bytes: Uint8Array,
  path: string,
  delimiter: Delimiter,
  visit: (cells: readonly string[], line: number) => void,
  most?: number,
): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (delimiter === 'whitespace') return forEachLine(buffer, visit, most);
  try {
    parse(buffer, {
      ...{ delimiter: characters[delimiter], bom: true, relax_column_count: true, skip_empty_lines: true },
      ...(most === undefined ? {} : { to: most }),
      // Of tabs, a trimmed cell would swallow the next delimiter; their cells are trimmed below.
      trim: delimiter !== 'tab',
      on_record: (cells: readonly string[], { lines }) => {
        if (!isBlank(cells)) visit(delimiter === 'tab' ? cells.map((cell) => cell.trim()) : cells, lines);
        return null;
      },
    });
  } catch (error) {
    throw error instanceof CsvError ? malformed(error, path) : error;
  }
}

const isBlank = (cells: readonly string[]): boolean => cells.length === 1 && cells[0]!.trim() === '';

function forEachLine(buffer: Buffer, visit: (cells: readonly string[], line: number) => void, most = Infinity): void {
  let rows = 0;
  for (let start = 0, line = 1; start < buffer.length && rows < most; line++) {
    const newline = buffer.indexOf(10, start);
    const end = newline < 0 ? buffer.length : newline;
    const text = buffer
      .subarray(start, end)
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trim();
    start = end + 1;
    if (text === '') continue;
    visit(text.split(/\s+/), line);
    rows++;
  }
}

const quoteRemedy = 'double the quotes within a quoted cell, and close each of them';

function malformed(error: CsvError, path: string): UserError {
  const line = 'lines' in error && typeof error['lines'] === 'number' ? { line: error['lines'] } : {};
  const reasons: Readonly<Record<string, string>> = {
    CSV_QUOTE_NOT_CLOSED: 'a quoted cell is not closed',
    INVALID_OPENING_QUOTE: 'a quote stands within a cell that does not begin with one',
    CSV_INVALID_CLOSING_QUOTE: 'text follows the closing quote of a cell',
  };
  const message = reasons[error.code] ?? error.message;
  return new UserError([{ code: 'malformed-csv', place: { file: path, ...line }, message, hint: quoteRemedy }]);
}

/** NaN for what is no number in decimal notation. */
function toNumber(cell: string, decimal: DecimalSign = 'point'): number {
  // `Number` reads an empty text as 0, and other bases than ten.
  if (cell === '' || /[xob]/i.test(cell)) return NaN;
  return Number(decimal === 'point' ? cell : withPoint(cell));
}

/** A number with a decimal comma as one with a point; points that do not group three digits make it no number. */
function withPoint(cell: string): string {
  const [whole = '', ...rest] = cell.split(',');
  const isGrouped = /^[+-]?\d{1,3}(\.\d{3})+$/.test(whole);
  return [isGrouped ? whole.replaceAll('.', '') : whole.replaceAll('.', 'no number'), ...rest].join('.');
}

/** What to do about a number in another notation; null for what is no number in any. */
function notationHint(cell: string, decimal: DecimalSign): string | null {
  if (decimal === 'comma') {
    return Number.isNaN(toNumber(cell)) ? null : 'write a decimal comma, or leave out `decimal: comma`';
  }
  const grouped = /^[+-]?\d{1,3}([ \u00a0\u202f',])\d{3}(\1\d{3})*(\.\d+)?$/.exec(cell);
  if (grouped !== null && (grouped[1] !== ',' || cell.includes('.') || cell.split(',').length > 2)) {
    return 'write the number without signs between its thousands';
  }
  return Number.isNaN(toNumber(cell, 'comma'))
    ? null
    : 'set `decimal: comma`, or write decimal points instead of commas';
}

/** The first ten mistakes, with their places, and the number of all. */
class Mistakes {
  readonly first: Diagnostic[] = [];
  count = 0;
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #shape: CsvShape;
  readonly #decimal: DecimalSign;

  constructor(bytes: Uint8Array, path: string, shape: CsvShape, decimal: DecimalSign = 'point') {
    this.#bytes = bytes;
    this.#path = path;
    this.#shape = shape;
    this.#decimal = decimal;
  }

  ragged(cells: readonly string[], line: number): void {
    const expected = this.#shape.names.length;
    const noun = cells.length === 1 ? 'cell' : 'cells';
    this.#add(cells, Math.min(cells.length, expected) - 1, line, {
      code: 'ragged-row',
      message: `the row has ${cells.length} ${noun}; expected ${expected}, as in the first row`,
      hint: 'complete the row, or remove it',
    });
  }

  cell(cells: readonly string[], column: number, line: number): void {
    const cell = cells[column]!;
    const { names, hasHeader } = this.#shape;
    const name = hasHeader ? `"${names[column]!}"` : names[column]!;
    const found = cell.length > 40 ? `${cell.slice(0, 40)}…` : cell;
    if (cell === '') {
      const message = `column ${name} is empty; expected a number`;
      return this.#add(cells, column, line, { code: 'missing-cell', message, hint: 'fill it in, or remove the row' });
    }
    if (/^[+-]?(nan|inf(inity)?)$/i.test(cell) || !Number.isNaN(toNumber(cell, this.#decimal))) {
      const message = `column ${name} is ${found}; expected a finite number`;
      return this.#add(cells, column, line, {
        code: 'not-finite-cell',
        message,
        hint: 'replace it, or remove the row',
      });
    }
    this.#add(cells, column, line, {
      code: 'non-numeric-cell',
      message: `column ${name} is "${found}"; expected a number`,
      hint: notationHint(cell, this.#decimal) ?? 'correct it, remove the row, or leave out the column',
    });
  }

  all(): readonly Diagnostic[] {
    const more = this.count - this.first.length;
    if (more === 0) return this.first;
    const noun = more === 1 ? 'mistake' : 'mistakes';
    return [
      ...this.first,
      { code: 'more-mistakes', place: { file: this.#path }, message: `${more} more ${noun} of these kinds` },
    ];
  }

  #add(cells: readonly string[], column: number, line: number, words: Omit<Diagnostic, 'place'>): void {
    this.count++;
    if (this.first.length === mostReported) return;
    this.first.push({ ...words, place: this.#placeOf(cells, column, line) });
  }

  /** A cell by the text of its line; of a row over several lines only its first line. */
  #placeOf(cells: readonly string[], column: number, line: number): Place {
    const breaks = cells.reduce((sum, cell) => sum + cell.split('\n').length - 1, 0);
    const place = { file: this.#path, line: line - breaks };
    if (breaks > 0) return place;
    const text = lineText(this.#bytes, line);
    const starts = cellStarts(text, this.#shape.delimiter);
    const start = starts[column] ?? 0;
    const end = starts[column + 1] === undefined ? text.length : starts[column + 1]! - 1;
    const blanks = /^\s*/.exec(text.slice(start, end))?.[0].length ?? 0;
    const from = blanks === end - start ? start : start + blanks;
    return {
      ...place,
      column: from + 1,
      source: { text, length: Math.max(1, text.slice(from, end).trimEnd().length) },
    };
  }
}

/** @param line from 1 */
function lineText(bytes: Uint8Array, line: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  for (let before = 1; before < line; before++) start = buffer.indexOf(10, start) + 1;
  const end = buffer.indexOf(10, start);
  return buffer
    .subarray(start, end < 0 ? undefined : end)
    .toString('utf8')
    .replace(/^\ufeff|\r$/g, '');
}

/** Where each cell of a line begins, in UTF-16 units. */
function cellStarts(text: string, delimiter: Delimiter): readonly number[] {
  if (delimiter === 'whitespace') return Array.from(text.matchAll(/\S+/g), ({ index }) => index);
  const starts = [0];
  let isQuoted = false;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && text[index] === characters[delimiter]) starts.push(index + 1);
  }
  return starts;
}
