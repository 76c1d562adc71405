/** Which lines of a list of stages are on a screen that may be too small for all. */
import { counted } from '../core/words.ts';

export type StageMark = 'waiting' | 'running' | 'done' | 'wrong';

/** A stage on the screen. */
export interface StageBlock {
  readonly state: StageMark;
  /** Whether its result was stored before. */
  readonly isStored: boolean;
  /** Its line, and below it what must stay readable. */
  readonly lines: readonly string[];
}

/** A line, and the stage that it is about; null for a line about stages that are not shown. */
export interface LiveLine {
  readonly state: StageMark | null;
  readonly text: string;
  /** Whether it is the first line of its stage. */
  readonly isFirst: boolean;
}

/**
 * All stages in their order where they fit. Otherwise those that run, then those that went wrong, then those around the
 * running ones; each group of others becomes one line that counts them.
 *
 * @param rows at least 1; at most that many lines are given
 */
export function liveLines(blocks: readonly StageBlock[], rows: number): readonly LiveLine[] {
  const shown = new Set<number>();
  for (const index of byImportance(blocks)) {
    shown.add(index);
    if (heightOf(blocks, shown) > rows) shown.delete(index);
    // What is far from all that runs is not shown where something nearer was not.
    if (!shown.has(index) && blocks[index]?.state !== 'running' && blocks[index]?.state !== 'wrong') break;
  }
  return linesOf(blocks, shown).slice(0, rows);
}

function byImportance(blocks: readonly StageBlock[]): readonly number[] {
  const indices = blocks.map((_, index) => index);
  const running = indices.filter((index) => blocks[index]?.state === 'running');
  const wrong = indices.filter((index) => blocks[index]?.state === 'wrong').toReversed();
  const lastEnded = indices.findLast((index) => blocks[index]?.state !== 'waiting') ?? 0;
  const focus = running.length > 0 ? running : [lastEnded];
  const distance = (index: number): number => Math.min(...focus.map((other) => Math.abs(other - index)));
  const others = indices
    .filter((index) => blocks[index]?.state === 'done' || blocks[index]?.state === 'waiting')
    .map((index) => ({ index, distance: distance(index) }));
  others.sort((a, b) => a.distance - b.distance);
  return [...running, ...wrong, ...others.map(({ index }) => index)];
}

const heightOf = (blocks: readonly StageBlock[], shown: ReadonlySet<number>): number => linesOf(blocks, shown).length;

function linesOf(blocks: readonly StageBlock[], shown: ReadonlySet<number>): LiveLine[] {
  const lines: LiveLine[] = [];
  let hidden: StageBlock[] = [];
  const flush = (): void => {
    if (hidden.length > 0) lines.push({ state: null, text: hiddenText(hidden), isFirst: true });
    hidden = [];
  };
  for (const [index, block] of blocks.entries()) {
    if (!shown.has(index)) {
      hidden.push(block);
      continue;
    }
    flush();
    lines.push(...block.lines.map((text, line) => ({ state: block.state, text, isFirst: line === 0 })));
  }
  flush();
  return lines;
}

function hiddenText(hidden: readonly StageBlock[]): string {
  const of = (state: StageMark): number => hidden.filter((block) => block.state === state).length;
  const stored = hidden.filter(({ isStored }) => isStored).length;
  const parts = [
    of('done') === 0 ? '' : `${counted(of('done'), 'stage')} done${stored === 0 ? '' : ` (${stored} from the store)`}`,
    of('wrong') === 0 ? '' : `${of('wrong')} failed`,
    of('running') === 0 ? '' : `${of('running')} running`,
    of('waiting') === 0 ? '' : `${counted(of('waiting'), 'stage')} to go`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}
