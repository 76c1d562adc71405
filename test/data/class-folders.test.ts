import { describe, expect, it } from 'vitest';
import { classFolders } from '../../src/data/class-folders.ts';
import { diagnosticsOf } from './sources/files.ts';

const set = (files: Readonly<Record<string, string>>) =>
  new Map(
    Object.entries(files).map(([name, text]) => [name, { path: `set/${name}`, bytes: new TextEncoder().encode(text) }]),
  );
const empty = (...names: string[]) => set(Object.fromEntries(names.map((name) => [name, ''])));
const read = (contents: ReturnType<typeof set>) => classFolders('set', contents, (name) => name.endsWith('.jpg'));
const names = (files: readonly { readonly name: string; readonly label: number }[] | undefined) =>
  files?.map(({ name, label }) => `${label} ${name}`);

async function mistakes(contents: ReturnType<typeof set>): Promise<string[]> {
  return (await diagnosticsOf(() => read(contents))).map(
    ({ code, place, message }) => `${place.file} ${code}: ${message}`,
  );
}

describe('class folders', () => {
  it('are classes in natural order, whatever the order of the files', () => {
    const { classNames, files } = read(empty('10/b.jpg', '2/a10.jpg', '10/a.jpg', '2/a9.jpg'));
    expect(classNames).toEqual(['2', '10']);
    expect(names(files.all)).toEqual(['0 2/a9.jpg', '0 2/a10.jpg', '1 10/a.jpg', '1 10/b.jpg']);
  });

  it('lie below the parts where there are some', () => {
    const { files } = read(
      empty('train/a/1.jpg', 'train/b/1.jpg', 'val/a/2.jpg', 'test/b/deep/3.jpg', 'notes/a/4.jpg'),
    );
    expect(names(files.train)).toEqual(['0 train/a/1.jpg', '1 train/b/1.jpg']);
    expect(names(files.validation)).toEqual(['0 val/a/2.jpg']);
    expect(names(files.test)).toEqual(['1 test/b/deep/3.jpg']);
    expect(files.all).toBeUndefined();
  });

  it('may have the name of what every object has', () => {
    const { classNames, files } = read(empty('train/a/1.jpg', 'train/toString/1.jpg', 'constructor/a/2.jpg'));
    expect(classNames).toEqual(['a', 'toString']);
    expect(Object.keys(files)).toEqual(['train']);
  });

  it('take the order of labels.txt, which may leave classes out', () => {
    const files = { 'labels.txt': 'b\r\n a \n\n', 'a/1.jpg': '', 'b/1.jpg': '', 'c/1.jpg': '' };
    const { classNames, ignored } = read(set(files));
    expect(classNames).toEqual(['b', 'a']);
    expect(ignored).toEqual(['c/1.jpg']);
  });

  it('leave out what is no example, and say so', () => {
    const { ignored } = read(empty('a/1.jpg', 'b/1.jpg', 'README.md', 'c.jpg', 'a/.hidden.jpg', 'a/notes.txt'));
    expect(ignored).toEqual(['a/.hidden.jpg', 'a/notes.txt', 'c.jpg']);
  });

  it('must be two at least, known and trained', async () => {
    expect(await mistakes(empty('1.jpg', '2.jpg'))).toEqual([
      'set too-few-classes: there is no class folder with examples; expected at least two',
    ]);
    expect(await mistakes(empty('a/1.jpg'))).toEqual([
      'set too-few-classes: there is one class only, a; expected at least two',
    ]);
    expect(await mistakes(empty('train/a/1.jpg', 'train/b/1.jpg', 'test/c/1.jpg'))).toEqual([
      'set untrained-class: class c has no training examples',
    ]);
    expect(await mistakes(set({ 'labels.txt': 'a\nd\na', 'a/1.jpg': '', 'b/1.jpg': '' }))).toEqual([
      'set/labels.txt wrong-labels-file: "d" is no class folder with examples',
      'set/labels.txt wrong-labels-file: "a" is there twice',
    ]);
  });
});
