import type { Session } from './engine.ts';

/**
 * The session, with steps that are abandoned when `signal` is raised, so that a long step is not awaited. Close it
 * then.
 */
export function stoppable(session: Session, signal: AbortSignal): Session {
  return { ...session, run: (feeds) => unlessAborted(session.run(feeds), signal) };
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error('the step was abandoned'));
    signal.addEventListener('abort', giveUp);
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
    if (signal.aborted) giveUp();
  });
}
