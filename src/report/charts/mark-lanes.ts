/** Where the labels of vertical lines go, so that neither a label nor another line crosses them. */
import { textWidth } from './axes.ts';

export interface Mark {
  /** Pixels from the left of the chart. */
  readonly x: number;
  readonly label: string;
}

export interface PlacedMark extends Mark {
  /** Whether the label begins or ends at the line. */
  readonly anchor: 'start' | 'end';
  /** 0 is next to the plot. A line begins below its label, so it passes the lanes below. */
  readonly lane: number;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** More would take too long to try, and no chart has as many. */
const mostTried = 10;
const gap = 4;

/**
 * The side of each label that needs the fewest lanes, of all that fit between `left` and `right`. Labels have to fit on
 * one side of their line at least.
 *
 * @param marks from left to right, each at another place
 */
export function placeMarks(marks: readonly Mark[], left: number, right: number): PlacedMark[] {
  const spans = (anchors: readonly PlacedMark['anchor'][]): Span[] =>
    marks.map(({ x, label }, index) =>
      anchors[index] === 'start'
        ? { from: x, to: x + textWidth(label) + gap }
        : { from: x - textWidth(label) - gap, to: x },
    );
  let best: { readonly anchors: readonly PlacedMark['anchor'][]; readonly lanes: readonly number[] } | null = null;
  const tried = marks.length > mostTried ? 1 : 2 ** marks.length;
  for (let choice = 0; choice < tried; choice++) {
    const anchors = marks.map((_, index) => ((choice >> index) % 2 === 0 ? 'start' : 'end'));
    const places = spans(anchors);
    if (tried > 1 && places.some(({ from, to }) => from < left || to > right)) continue;
    const lanes = lanesOf(marks, places);
    if (lanes !== null && (best === null || Math.max(...lanes) < Math.max(...best.lanes))) best = { anchors, lanes };
  }
  return marks.map((mark, index) => ({
    ...mark,
    anchor: best?.anchors[index] ?? 'start',
    // Each above those on its right, whose lines then begin below its label.
    lane: best?.lanes[index] ?? marks.length - 1 - index,
  }));
}

/** The lowest lanes in which nothing crosses; null where there are none. */
function lanesOf(marks: readonly Mark[], spans: readonly Span[]): number[] | null {
  const lanes = marks.map(() => 0);
  // A lane too low is raised by one at a time; in a circle that would never end.
  for (let round = 0; round <= marks.length * marks.length; round++) {
    const raised = marks.findIndex((_, index) =>
      marks.some((_other, other) => other !== index && hasToRise(marks, spans, lanes, index, other)),
    );
    if (raised < 0) return lanes;
    lanes[raised] = (lanes[raised] ?? 0) + 1;
  }
  return null;
}

function hasToRise(
  marks: readonly Mark[],
  spans: readonly Span[],
  lanes: readonly number[],
  index: number,
  other: number,
): boolean {
  const [own, its] = [spans[index], spans[other]];
  const [lane, otherLane] = [lanes[index] ?? 0, lanes[other] ?? 0];
  if (own === undefined || its === undefined || lane > otherLane) return false;
  // The other's line passes all lanes below its own.
  const crossed = within(marks[other]?.x ?? 0, own);
  const overlaps = own.from < its.to && its.from < own.to;
  return crossed || (lane === otherLane && overlaps && !within(marks[index]?.x ?? 0, its) && index < other);
}

const within = (x: number, { from, to }: Span): boolean => x > from && x < to;
