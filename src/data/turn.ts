/**
 * Called often in long work that would block this thread: lets signals and events be handled now and then.
 *
 * @throws what the work is to end with, after it was told to stop
 */
export type Turn = () => Promise<void>;

const longestMs = 30;

export function createTurn(signal: AbortSignal | null = null): Turn {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < longestMs) return;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    last = performance.now();
  };
}
