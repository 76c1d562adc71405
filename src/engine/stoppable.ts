import type { Session } from './engine.ts';

/**
 * The session, whose steps reject as soon as `signal` is aborted, even during a long step. Close the session after
 * that.
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
