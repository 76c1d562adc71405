/** Steps, one at a time, in the order in which they were asked for. */

type Arrays = ReadonlyMap<string, Float32Array>;

/** @param feeds are in the engine's memory when the call returns */
type TakeStep = (feeds: Arrays) => Promise<Arrays>;

export class StepQueue {
  private outstanding = 0;
  /** What begins the runs that wait, in their order. */
  private readonly waiting: (() => void)[] = [];
  /** Where the feeds of runs that waited were, for those that wait next. */
  private readonly spare: Map<string, Float32Array>[] = [];

  get isIdle(): boolean {
    return this.outstanding === 0;
  }

  /** An idle queue takes the feeds at once; a busy one copies them, and begins after the runs before. */
  run(feeds: Arrays, step: TakeStep): Promise<Arrays> {
    if (this.outstanding++ === 0) return this.turn(feeds, step);
    const copies = copyFeeds(feeds, this.spare.pop());
    return new Promise((resolve) =>
      this.waiting.push(() => {
        resolve(this.turn(copies, step));
        this.spare.push(copies);
      }),
    );
  }

  /** The next run begins before those who await this one hear of it: they may prepare a batch, while the threads work. */
  private async turn(feeds: Arrays, step: TakeStep): Promise<Arrays> {
    try {
      return await step(feeds);
    } finally {
      this.outstanding--;
      this.waiting.shift()?.();
    }
  }
}

/** @param into arrays of the same lengths that are used again, where there are some */
function copyFeeds(
  feeds: ReadonlyMap<string, Float32Array>,
  into: ReadonlyMap<string, Float32Array> = new Map(),
): Map<string, Float32Array> {
  return new Map(
    [...feeds].map(([name, data]) => {
      const copy = into.get(name);
      if (copy?.length !== data.length) return [name, data.slice()];
      copy.set(data);
      return [name, copy];
    }),
  );
}
