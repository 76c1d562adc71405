import os from 'node:os';
import { packageVersion } from '../core/version.ts';
import type { Provenance } from '../runner/record.ts';

/** What this process is, for the records of what it makes. */
export function provenance(): Provenance {
  return {
    commandLine: process.argv.slice(2),
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    cpus: os.availableParallelism(),
    qpipeVersion: packageVersion(),
  };
}
