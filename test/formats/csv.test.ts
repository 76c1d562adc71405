import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/diagnostic.ts';
import { readCsv, readCsvShape } from '../../src/formats/csv.ts';
import type { CsvColumns, CsvOptions, CsvRequest } from '../../src/formats/csv.ts';

const text = (lines: string): Buffer => Buffer.from(lines);
const shape = (lines: string, options?: CsvOptions) => readCsvShape(text(lines), 'table.csv', options);
const read = (lines: string, request: Partial<CsvRequest> = {}): CsvColumns =>
  readCsv(text(lines), 'table.csv', { numbers: [], ...request });

function mistakes(lines: string, request: CsvRequest): readonly string[] {
  try {
    readCsv(text(lines), 'table.csv', request);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(
      ({ code, message, place: { line, column } }) => `${line ?? ''}:${column ?? ''} ${code}: ${message}`,
    );
  }
  return [];
}

describe('the shape of a table', () => {
  it.each([
    ['comma', 'a,b\n1,2\n3,4\n'],
    ['semicolon', 'a;b\n1,5;2,5\n3,5;4,5\n'],
    ['tab', 'a\tb\n1,5\t2;5\n3\t4\n'],
    ['comma', '"x;y",b\n1,2\n'],
    ['comma', 'alone\n1\n2\n'],
    ['semicolon', 'a;b;c\n1;2;3\n4;5\n'],
  ] as const)('finds the delimiter %s in %j', (delimiter, lines) => {
    expect(shape(lines).delimiter).toBe(delimiter);
  });

  it.each([
    ['names over numbers', 'age,name\n3,Ann\n', true, ['age', 'name']],
    ['numbers only', '1,2\n3,4\n', false, ['1', '2']],
    ['text only', 'a,b\nc,d\n', false, ['1', '2']],
    ['a number among the names', '2019,b\n1,2\n', false, ['1', '2']],
    ['an empty name, as of an index', ',b\n0,2\n', true, ['', 'b']],
    ['a byte order mark', '\ufeffage,b\n1,2\n', true, ['age', 'b']],
    ['numbers with blanks, as of sensors', '  156,  -589\r\n 1,2\r\n', false, ['1', '2']],
    ['empty lines before', '\n\nage\n1\n', true, ['age']],
  ] as const)('tells a header from values: %s', (_what, lines, hasHeader, names) => {
    expect(shape(lines)).toMatchObject({ hasHeader, names });
  });

  it('takes what is given instead', () => {
    expect(shape('1,2\n3,4\n', { hasHeader: true }).names).toEqual(['1', '2']);
    expect(shape('a b\n1 2\n', { delimiter: 'whitespace' })).toMatchObject({
      names: ['a', 'b'],
      isNumeric: [true, true],
    });
    expect(shape('a,b\n1,x\n').isNumeric).toEqual([true, false]);
  });

  it('is read from the beginning of a long table, whatever it is cut in', () => {
    const cell = `"${'long, quoted\n'.repeat(20)}"`;
    expect(shape(`a,b\n1,${cell}\n`.repeat(3000))).toMatchObject({ delimiter: 'comma', names: ['a', 'b'] });
  });
});

describe('columns', () => {
  it('are read by name and by number, text beside numbers', () => {
    const table = read('id,x,who\n7,-1.5e3,Ann\n8,.25,"B, ""C"""\n', { numbers: ['x', 1], texts: ['who'] });
    expect(table.numbers).toEqual([Float64Array.of(-1500, 0.25), Float64Array.of(7, 8)]);
    expect(table.texts).toEqual([['Ann', 'B, "C"']]);
    expect(table).toMatchObject({ rows: 2, delimiter: 'comma', hasHeader: true, skipped: { rows: 0, mistakes: [] } });
  });

  it.each([
    ['CRLF', '1,2\r\n3,4\r\n'],
    ['no newline at the end', '1,2\n3,4'],
    ['blanks', ' 1 , 2\n3,   4 \n'],
    ['blanks before quotes', ' "1", "2"\n3,"4" \n'],
    ['empty lines', '1,2\n\n  \n3,4\n\n'],
    ['tabs', '1\t2\n3 \t 4\n'],
    ['a byte order mark', '\ufeff1,2\n3,4\n'],
  ])('with %s', (_what, lines) => {
    expect(read(lines, { numbers: [1, 2] }).numbers).toEqual([Float64Array.of(1, 3), Float64Array.of(2, 4)]);
  });

  it('between blanks', () => {
    const table = read('\ufeff  1.5   2 \r\n\n3\t4\n', { delimiter: 'whitespace', numbers: [1, 2] });
    expect(table.numbers).toEqual([Float64Array.of(1.5, 3), Float64Array.of(2, 4)]);
    expect(Array.from(table.lines)).toEqual([1, 3]);
  });

  it('know their lines, also after quoted line breaks', () => {
    expect(Array.from(read('a,b\n"x\ny",1\n\nz,2\n', { numbers: ['b'] }).lines)).toEqual([3, 5]);
  });

  it('empty cells of tabs are cells', () => {
    expect(mistakes('1\t\t3\n4\t5\t6\n', { numbers: [1, 2, 3] })).toEqual([
      '1:3 missing-cell: column 2 is empty; expected a number',
    ]);
  });
});

describe('mistakes', () => {
  it('are given all at once, each with line and column', () => {
    const lines = 'age,bmi\n1,2\n,3\n4, n/a\n5\n6,NaN\n7,8,9\n"x\ny",1\n-inf,0x10\n';
    expect(mistakes(lines, { numbers: ['age', 'bmi'] })).toEqual([
      '3:1 missing-cell: column "age" is empty; expected a number',
      '4:4 non-numeric-cell: column "bmi" is "n/a"; expected a number',
      '5:1 ragged-row: the row has 1 cell; expected 2, as in the first row',
      '6:3 not-finite-cell: column "bmi" is NaN; expected a finite number',
      '7:3 ragged-row: the row has 3 cells; expected 2, as in the first row',
      '8: non-numeric-cell: column "age" is "x\ny"; expected a number',
      '10:1 not-finite-cell: column "age" is -inf; expected a finite number',
      '10:6 non-numeric-cell: column "bmi" is "0x10"; expected a number',
    ]);
  });

  it('show the cell in its line', () => {
    expect(() => read('age,who,bmi\n1,"a,b",2\n3,"c,d", hello \n', { numbers: ['bmi'] })).toThrow(
      'table.csv:3:10 error non-numeric-cell: column "bmi" is "hello"; expected a number\n' +
        '   3 | 3,"c,d", hello \n' +
        '     |          ^^^^^\n' +
        '  hint: correct it, remove the row, or leave out the column',
    );
  });

  it('end after ten, with the number of the others', () => {
    const found = mistakes(`x\n1\n${'a\n'.repeat(25)}`, { numbers: ['x'] });
    expect(found).toHaveLength(11);
    expect(found.slice(-2)).toEqual([
      '12:1 non-numeric-cell: column "x" is "a"; expected a number',
      ': more-mistakes: 15 more mistakes of these kinds',
    ]);
  });

  it('are passed over where the user wants to go on, and counted', () => {
    const table = read('x,y\n1,a\n,b\n3,c\n4\nq,e\n', { numbers: ['x'], texts: ['y'], broken: 'skip' });
    expect(table.numbers).toEqual([Float64Array.of(1, 3)]);
    expect(table.texts).toEqual([['a', 'c']]);
    expect(Array.from(table.lines)).toEqual([2, 4]);
    expect(table.skipped.rows).toBe(3);
    expect(table.skipped.mistakes.map(({ code }) => code)).toEqual(['missing-cell', 'ragged-row', 'non-numeric-cell']);
  });

  it.each([
    ['1,5', 'set `decimal: comma`, or write decimal points instead of commas'],
    ['1.234,5', 'set `decimal: comma`, or write decimal points instead of commas'],
    ['1,234.5', 'write the number without signs between its thousands'],
    ["1'234", 'write the number without signs between its thousands'],
    ['1 234 567', 'write the number without signs between its thousands'],
    ['1,2,3', 'correct it, remove the row, or leave out the column'],
  ])('numbers in another notation are told apart: %s', (cell, hint) => {
    expect(() => read(`a;b\n${cell};2\n`, { hasHeader: true, numbers: ['a'] })).toThrow(hint);
  });

  it('decimal commas are read where they are asked for, with points between thousands', () => {
    const lines = 'a;b\n1,5;-1.234.567,25\n-,5;7\n1e3;0,1e2\n';
    expect(read(lines, { decimal: 'comma', numbers: ['a', 'b'] })).toMatchObject({
      hasHeader: true,
      numbers: [Float64Array.of(1.5, -0.5, 1000), Float64Array.of(-1234567.25, 7, 10)],
    });
    for (const cell of ['1.5', '12.34,5', '1234.567,5', '1,2,3', '.,5']) {
      expect(() => read(`a;b\n${cell};2\n`, { decimal: 'comma', hasHeader: true, numbers: ['a'] })).toThrow(
        'non-numeric-cell',
      );
    }
    expect(() => read('a;b\n1.5;2\n', { decimal: 'comma', hasHeader: true, numbers: ['a'] })).toThrow(
      'write a decimal comma, or leave out `decimal: comma`',
    );
  });

  it.each([
    [{ numbers: ['weight'] }, 'there is no column "weight"; the columns are age, age, sex'],
    [{ numbers: ['age'] }, 'two columns are named "age"'],
    [{ numbers: [4] }, 'there is no column 4; the columns are age, age, sex'],
    [{ numbers: [0] }, 'there is no column 0'],
    [{ numbers: [1], hasHeader: false, texts: ['age'] }, 'there is no column "age"; it has 3 columns and no header'],
  ] as const)('%j names a column that is not there', (request, message) => {
    expect(() => read('age,age,sex\n1,2,3\n', request)).toThrow(`error unknown-column: ${message}`);
  });

  it.each([
    ['nothing', '', 'error empty-table: the file has no rows'],
    ['a header alone', 'a,b\n', 'error non-numeric-cell'],
    ['a quote that is not closed', '1,2\n3,"4\n', /error malformed-csv: a quoted cell is not closed/],
    ['a quote within a cell', '1,2\n3,4"5"\n', /table\.csv:2:1 error malformed-csv: a quote stands within a cell/],
    ['text after a quote', '1,2\n3,"4"5\n', /error malformed-csv: text follows the closing quote/],
  ])('%s is refused', (_what, lines, message) => {
    expect(() => read(lines, { numbers: [1] })).toThrow(message);
  });

  it('a header without rows is refused', () => {
    expect(() => read('a,b\n', { hasHeader: true, numbers: ['a'] })).toThrow(
      'empty-table: the file has no rows of values',
    );
  });

  it.each([
    ['UTF-16', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'), 'the table is UTF-16; expected UTF-8'],
    ['Latin-1', Buffer.from('a,°C\n1,2\n', 'latin1'), 'the table is not text in UTF-8'],
  ])('%s is refused', (_what, bytes, message) => {
    expect(() => readCsv(bytes, 'table.csv', { numbers: [1] })).toThrow(`error not-utf8: ${message}`);
  });
});

const shared = process.env['QPIPE_DATA'] ?? join(import.meta.dirname, '../../../shared/data');

describe.skipIf(!existsSync(shared))('recordings (skipped without the shared data)', () => {
  const files = ['st-har', 'magic-wand', 'watch', 'diabetes'].flatMap((name) =>
    existsSync(join(shared, name))
      ? readdirSync(join(shared, name), { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('.csv'))
          .map((file) => join(shared, name, file))
      : [],
  );

  it('of all kinds are read to the numbers that stand in them', () => {
    for (const file of files) {
      const bytes = readFileSync(file);
      const { hasHeader, isNumeric, names, delimiter } = readCsvShape(bytes, file);
      expect([delimiter, hasHeader]).toEqual(['comma', !file.includes('st-har')]);
      const wanted = names.flatMap((_, column) => (isNumeric[column] === true ? [column] : []));
      const { numbers, rows } = readCsv(bytes, file, { numbers: wanted.map((column) => column + 1) });
      const lines = bytes
        .toString('latin1')
        .trimEnd()
        .split('\n')
        .slice(hasHeader ? 1 : 0);
      expect(rows).toBe(lines.length);
      for (const [index, column] of wanted.entries()) {
        const expected = Float64Array.from(lines, (line) => parseFloat(line.split(',')[column]!));
        expect(Buffer.from(numbers[index]!.slice().buffer).equals(Buffer.from(expected.buffer)), file).toBe(true);
      }
    }
    expect(files.length).toBeGreaterThan(0);
    console.info(`${files.length} recordings and tables read`);
  });
});
