/** What this machine has. */
import { totalmem } from 'node:os';

/** Bytes that this process may use: those of the machine, or of the container that it runs in. */
export function machineMemory(): number {
  // 0 or undefined where nothing limits it; Node 20 gives more than there is.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(totalmem(), limit) : totalmem();
}

/** A quarter of the machine. */
export const defaultMemory = (): number => Math.floor(machineMemory() / 4);
