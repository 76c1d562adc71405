/** The data sets of a process: each is decoded once, for all stages that ask. */
import { isDeepStrictEqual } from 'node:util';
import { userError } from '../core/diagnostic.ts';
import type { Digest } from '../core/digest.ts';
import type { Dataset, DatasetIdentity } from './dataset.ts';
import type { IdentifiedData } from './example-files.ts';
import { closeExamples } from './example-files.ts';
import type { LoadOptions } from './load.ts';
import { loadIdentified, openFiles, recipeDigest, sourceFiles } from './load.ts';
import type { DataSource } from './sources/index.ts';
import type { ValidationOptions } from './split.ts';

/** Which examples of which files. Plain JSON. */
export interface DataRequest {
  readonly source: DataSource;
  readonly validation: ValidationOptions;
  /** Digest of the code that turns files into examples. */
  readonly code: Digest;
  /** Bytes that examples may take in memory; more of them stay on the disk. */
  readonly memory: number;
}

/** A data set whose content is known, so that any process can tell whether it has the same. Plain JSON. */
export interface IdentifiedRequest {
  readonly request: DataRequest;
  /** See `recipeDigest`. */
  readonly recipe: Digest;
  readonly identity: DatasetIdentity;
}

/**
 * Gives what was made for this key before, else makes it: decoding a data set takes longer than a run of stored stages.
 */
export type IdentityMemory = (key: Digest, make: () => Promise<DatasetIdentity>) => Promise<DatasetIdentity>;

export interface PoolOptions extends Omit<LoadOptions, 'memory'> {
  readonly identities: IdentityMemory;
}

export interface DataPool {
  /**
   * Reads the files; decodes them only if nobody did before.
   *
   * @throws UserError when they cannot be read
   */
  readonly identify: (request: DataRequest) => Promise<IdentifiedRequest>;
  /**
   * Decodes at the first call.
   *
   * @throws UserError when the examples are not those that were identified
   */
  readonly load: (identified: IdentifiedRequest) => Promise<Dataset>;
  /** Closes the files of examples; no stage may use them after it. */
  readonly close: () => void;
}

export function openDataPool(options: PoolOptions): DataPool {
  const loading = new Map<Digest, Promise<IdentifiedData>>();
  const loaded: IdentifiedData[] = [];

  function decoded(
    { source, validation, memory }: DataRequest,
    recipe: Digest,
    open: () => ReturnType<typeof openFiles>,
  ) {
    const before = loading.get(recipe);
    if (before !== undefined) return before;
    const now = loadIdentified(source, validation, recipe, open, { ...options, memory }).then((found) => {
      loaded.push(found);
      return found;
    });
    loading.set(recipe, now);
    // Another stage may try again.
    now.catch(() => loading.delete(recipe));
    return now;
  }
  return {
    async identify(request) {
      const { files, close } = await openFiles(request.source, options);
      try {
        const recipe = recipeDigest(request.source, request.validation, files, request.code);
        const open = () => Promise.resolve({ files, close: () => undefined });
        const identity = await options.identities(recipe, async () => (await decoded(request, recipe, open)).identity);
        return { request, recipe, identity };
      } finally {
        close();
      }
    },
    async load({ request, recipe, identity }) {
      const found = await decoded(request, recipe, () => openFiles(request.source, options));
      if (isDeepStrictEqual(found.identity, identity)) return found.dataset;
      const [first] = sourceFiles(request.source);
      const message = 'the data are not those that the run began with';
      throw userError(first?.path ?? identity.name, 'data-changed', message, 'run the pipeline again');
    },
    close: () => loaded.forEach(({ dataset }) => closeExamples(dataset)),
  };
}
