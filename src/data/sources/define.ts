import type { Static, TObject, TProperties, TSchema } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { Json, JsonObject } from '../../core/json.ts';
import { key, object } from '../../core/schema.ts';
import type { DataContent, DataFile, DataSize, DecodedData } from '../dataset.ts';
import type { Decoding, ReadFile } from '../decoding/decoding.ts';
import type { SourceFacts } from '../facts.ts';

/** One kind of data source: all that qpipe knows about it. */
export interface SourceDefinition<S extends { readonly kind: string }, Config extends TSchema = TSchema> {
  /** The word after `source:`. */
  readonly kind: S['kind'];
  /** Of the source's own fields under `data`. */
  readonly schema: Config;
  /** What to load, from the fields of a pipeline. */
  readonly from: (config: Static<Config>) => S;
  /** The folder or archive of which it reads the files, one at a time; null or left out where `files` are all. */
  readonly tree?: (source: S) => string | null;
  /** The other files that it reads; none for a generated one. */
  readonly files: (source: S) => readonly DataFile[];
  /** What to do about a file that cannot be read. */
  readonly unreadable: string;
  /** How files that are not there are reported. */
  readonly missing: MissingFiles;
  /** The size, where it is known without reading the files; else null. */
  readonly knownSize: (source: S) => DataSize | null;
  /** The options that decide which examples there are, not where their files lie. */
  readonly recipe: (source: S) => JsonObject;
  /**
   * The examples.
   *
   * @param contents of `files`, or of those in `tree`, by name
   * @throws UserError for a file that is damaged or not what it should be
   */
  readonly decode: (
    source: S,
    contents: ReadonlyMap<string, DataContent>,
    decoding: Decoding,
  ) => DecodedData | Promise<DecodedData>;
  /** How one file becomes examples, for `decoding.readFiles`; it is made in every thread. */
  readonly readFile?: (source: S, how: Json) => ReadFile;
  /** What `qpipe data` shows of the files beside the examples; called after `decode` found nothing wrong with them. */
  readonly describe?: (source: S, contents: ReadonlyMap<string, DataContent>) => SourceFacts;
  /** How `qpipe init` finds out that a folder is for this source; left out where files do not say so. */
  readonly guess?: SourceGuess;
}

export interface SourceGuess {
  /** The files that it reads, for a sentence: `JPEG and PNG files in class folders`. */
  readonly what: string;
  /** Whether a file may be an example, by its name in lower case. The source that most files fit is taken. */
  readonly accepts: (name: string) => boolean;
  /**
   * What to write below `data:`, after `source` and `path`.
   *
   * @param path of the folder or archive, for errors
   * @param contents of all files, by name
   * @throws UserError for files that no setting makes examples of
   */
  readonly settings: (path: string, contents: ReadonlyMap<string, DataContent>) => GuessedSettings;
}

export interface GuessedSettings {
  /** What was found, in sentences without a full stop. */
  readonly found: readonly string[];
  /** Each a line of YAML, or one that is commented out, and what it is for. */
  readonly lines: readonly { readonly yaml: string; readonly comment: string }[];
}

export type MissingFiles =
  /** A field of `data` names each file: those that are missing are a mistake each. */
  | { readonly kind: 'each'; readonly hint: (path: string) => string }
  /** One field names them all: that they are missing is one mistake. */
  | { readonly kind: 'together'; readonly field: string; readonly hint: string };

/** Puts `source` before the fields of a source. */
export const sourceFields = <const K extends string, P extends TProperties>(
  kind: K,
  description: string,
  fields: P,
): TObject<{ source: ReturnType<typeof Type.Literal<K>> } & P> =>
  // The compiler does not see that the spread of P has the fields of P.
  object({ source: Type.Literal(kind, key('Kind of data source')), ...fields }, { description });

/** A row, with the types of its config and of its source. */
export const defineSource = <S extends { readonly kind: string }, Config extends TSchema>(
  definition: SourceDefinition<S, Config>,
): SourceDefinition<S, Config> => definition;
