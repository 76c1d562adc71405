/** Files of class folders that are an example each. */
import type { Json } from '../core/json.ts';
import type { ClassFile, ClassFolders } from './class-folders.ts';
import { checkKept } from './class-folders.ts';
import type { Decoding } from './decoding/decoding.ts';
import type { Inputs } from './inputs.ts';
import { pickInputs } from './inputs.ts';
import type { BrokenFiles } from './mistakes.ts';
import type { GivenParts } from './part-examples.ts';
import { fileExamples } from './parts.ts';

/** What is to be decoded, and how. */
export interface ClassDecoding {
  /** Folder of the set, for errors. */
  readonly path: string;
  readonly folders: ClassFolders;
  readonly broken: BrokenFiles;
  readonly kind: Inputs['kind'];
  /** Elements of one input. */
  readonly size: number;
  /** For `readFile`; default: null. */
  readonly how?: Json;
}

/**
 * Decodes them, by the `readFile` of the source.
 *
 * @param onFact called with what `readFile` says of a file
 * @throws UserError for broken files, if they are refused, and for a class of which none is left
 */
export async function decodeClassFiles(
  { collector: createCollector, readFiles }: Decoding,
  { path, folders: { classNames, files }, broken, kind, size, how = null }: ClassDecoding,
  onFact: (fact: Json, file: ClassFile) => void = () => undefined,
): Promise<GivenParts> {
  const collector = createCollector(kind, size);
  const kept = new Map(Object.keys(files).map((part): [string, ClassFile[]] => [part, []]));
  await readFiles(Object.values(files).flat(), how, broken, (file, { values, fact }) => {
    collector.add(values);
    kept.get(file.part)?.push(file);
    onFact(fact, file);
  });
  broken.check();
  checkKept(path, classNames, Object.fromEntries(kept));
  const inputs = collector.finish();
  let first = 0;
  const examples = Array.from(kept, ([part, list]) => {
    const start = first;
    first += list.length;
    const rows = Uint32Array.from(list, (_, index) => start + index);
    return [part, fileExamples(list, pickInputs(inputs, rows))] as const;
  });
  return Object.fromEntries(examples);
}
