/** When a training's state is written down. */
import type { Checkpoints } from '../runner/plan.ts';
import type { TrainState } from './state.ts';
import { encodeTrainState } from './state.ts';

/** A state is saved as soon as one of both has passed since the last. */
export interface CheckpointInterval {
  readonly seconds: number;
  /** Null for any number. */
  readonly steps: number | null;
}

export interface Saver {
  /** @param step how many are done, or on their way */
  readonly isDue: (step: number) => boolean;
  /** Begins to write; the state is not looked at again. Does nothing for a state that is no further than the last. */
  readonly save: (state: () => TrainState) => void;
  /** When what was begun is written. */
  readonly settled: () => Promise<void>;
}

/**
 * @param checkpoints null where none are kept
 * @param now milliseconds on a clock that only goes forward
 */
export function openSaver(
  checkpoints: Checkpoints | null,
  { seconds, steps }: CheckpointInterval,
  start: Pick<TrainState, 'step' | 'qualities'>,
  now: () => number,
): Saver {
  let last = { step: start.step, epochs: start.qualities.length, time: now() };
  let writing: Promise<void> | null = null;
  return {
    isDue(step) {
      // A disk that is slower than the interval holds nothing up.
      if (checkpoints === null || writing !== null || step === last.step) return false;
      return step - last.step >= (steps ?? Infinity) || now() - last.time >= 1000 * seconds;
    },
    save(state) {
      if (checkpoints === null) return;
      const reached = state();
      const epochs = reached.qualities.length;
      if (reached.step === last.step && epochs === last.epochs) return;
      last = { step: reached.step, epochs, time: now() };
      const before = writing ?? Promise.resolve();
      const bytes = encodeTrainState(reached);
      const written = before.then(() => checkpoints.save(bytes, reached.step));
      writing = written;
      const end = (): void => {
        if (writing === written) writing = null;
      };
      // A failure is seen when it is awaited.
      written.then(end, () => undefined);
    },
    async settled() {
      await writing;
    },
  };
}
