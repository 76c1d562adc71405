/** A part of a longer job that a person may want to watch. */
export interface Step {
  readonly title: string;
  /** @param say shows what it is doing, line by line */
  readonly run: (say: (line: string) => void) => Promise<void>;
}

/** Runs steps one after the other, and shows them. A step that throws is the last. */
export type StepRunner = (steps: readonly Step[]) => Promise<void>;

export const quietSteps: StepRunner = async (steps) => {
  for (const { run } of steps) await run(() => undefined);
};
