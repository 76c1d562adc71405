import { qpipeHome } from '../install/home.ts';
import type { Store } from '../runner/store.ts';
import { dataFolders, remembered } from '../runner/store.ts';
import type { Resources } from '../stages/resources.ts';
import { openResources } from '../stages/resources.ts';

/** Data sets and engines for stages that run: what is found out about data is kept in the store. */
export function resourcesIn(store: Store, { threads, signal }: { threads: number; signal: AbortSignal }): Resources {
  return openResources({
    identities: (key, make) => remembered(store, key, make),
    cache: dataFolders(store),
    ...{ signal, threads, home: qpipeHome(), now: () => performance.now() },
  });
}
