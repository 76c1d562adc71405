import { maximum, place, shorten } from './charts/axes.ts';
import { markup } from './markup.ts';
import type { Markup } from './markup.ts';
import { scrollArea } from './scroll-area.ts';

/** Static SVG and image helpers. Colours are classes `c0`..`c5` of the style sheet, so that they follow the theme. */

export interface FlowNode {
  readonly name: string;
  readonly note: string;
  readonly state: 'hit' | 'run' | 'failed' | 'waiting';
  /** Indices of the nodes it reads from; all smaller than its own. */
  readonly parents: readonly number[];
}

/** The stages from left to right, a column per distance from the sources. */
export function flowChart(nodes: readonly FlowNode[]): Markup {
  const box = { width: 138, height: 50, gapX: 30, gapY: 18 } as const;
  const column: number[] = [];
  const row: number[] = [];
  const filled: number[] = [];
  for (const node of nodes) {
    const depth = maximum([-1, ...node.parents.map((parent) => column[parent] ?? 0)]) + 1;
    column.push(depth);
    row.push(filled[depth] ?? 0);
    filled[depth] = (filled[depth] ?? 0) + 1;
  }
  const atX = (index: number): number => 1 + (column[index] ?? 0) * (box.width + box.gapX);
  const atY = (index: number): number => 1 + (row[index] ?? 0) * (box.height + box.gapY);
  const span = (parent: number, child: number): number => (column[child] ?? 0) - (column[parent] ?? 0);
  const edge = (parent: number, child: number): string => {
    const x1 = atX(child);
    if (span(parent, child) === 1) {
      const y0 = atY(parent) + box.height / 2;
      const y1 = atY(child) + box.height / 2;
      const middle = x1 - box.gapX / 2;
      return `M${atX(parent) + box.width} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
    }
    // Below the boxes in between: a straight line would look as if it came from the last of them.
    const [from, to] = [atX(parent) + box.width - 24, x1 + 24];
    const [y0, y1] = [atY(parent) + box.height, atY(child) + box.height];
    const deep = Math.max(y0, y1) + 10 + 9 * span(parent, child);
    return `M${from} ${y0}C${from + 20} ${deep} ${to - 20} ${deep} ${to} ${y1}`;
  };
  const longest = maximum(nodes.flatMap((node, child) => node.parents.map((parent) => span(parent, child))));
  const width = maximum(nodes.map((_, index) => atX(index))) + box.width + 1;
  const height = maximum(nodes.map((_, index) => atY(index))) + box.height + 1 + (longest > 1 ? 10 + 7 * longest : 0);
  return scrollArea(
    'Stages and their inputs',
    markup`<svg class="flow" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="stages and their inputs">
${nodes.map((node, child) => node.parents.map((parent) => markup`<path class="edge behind" d="${edge(parent, child)}"/>`))}
${nodes.map(
  (node, index) => markup`<g class="node ${node.state}"><title>${node.name}: ${node.note}</title>
<rect x="${atX(index)}" y="${atY(index)}" width="${box.width}" height="${box.height}" rx="6"/>
<text class="name" x="${atX(index) + 12}" y="${atY(index) + 21}">${shorten(node.name, 17)}</text>
<text class="note" x="${atX(index) + 12}" y="${atY(index) + 38}">${shorten(node.note, 20)}</text></g>`,
)}
</svg>`,
  );
}

/** A horizontal bar behind nothing: its length is `share` of the cell. */
export function bar(share: number, color: number): Markup {
  return markup`<span class="bar"><span class="fill c${color}" style="width:${place(100 * Math.min(1, Math.max(0, share)))}%"></span></span>`;
}
