/**
 * Where the boxes of a graph lie: in layers from top to bottom, after Sugiyama, Tagawa and Toda (1981). An edge over several
 * layers has a place of its own in each, so that no edge runs through a box.
 */

export interface LayoutSize {
  readonly width: number;
  readonly height: number;
  /** Between neighbours, and between layers. */
  readonly gapX: number;
  readonly gapY: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The upper left corner of each box. */
  readonly boxes: readonly { readonly x: number; readonly y: number }[];
  /** Paths of SVG, from the lower edge of a box to the upper edge of another. */
  readonly edges: readonly string[];
}

/** A box, or the place where an edge passes a layer. */
interface Item {
  /** Null for an edge. */
  readonly node: number | null;
  readonly above: Item[];
  readonly below: Item[];
  x: number;
}

/** Columns that a passing edge takes. */
const passing = 10;
/** Free around the drawing. */
const border = 4;
const sweeps = 12;

/** @param parents for each box the boxes above it, whose numbers are smaller; a repeated one is drawn once */
export function layeredLayout(parents: readonly (readonly number[])[], size: LayoutSize): Layout {
  const depths = depthsOf(parents);
  const layers: Item[][] = Array.from({ length: Math.max(-1, ...depths) + 1 }, () => []);
  const items = parents.map((): Item | null => null);
  const passes = new Map<string, Item>();
  const newItem = (depth: number, node: number | null): Item => {
    const item: Item = { node, above: [], below: [], x: 0 };
    layers[depth]?.push(item);
    return item;
  };
  const link = (upper: Item, lower: Item): void => {
    if (lower.above.includes(upper)) return;
    upper.below.push(lower);
    lower.above.push(upper);
  };
  const lowest = (parent: number, depth: number): Item | null => {
    // Edges of one box share their way down.
    let item = items[parent] ?? null;
    for (let at = (depths[parent] ?? 0) + 1; at < depth && item !== null; at++) {
      const key = `${parent} ${at}`;
      const next: Item = passes.get(key) ?? newItem(at, null);
      passes.set(key, next);
      link(item, next);
      item = next;
    }
    return item;
  };
  for (const [node, above] of parents.entries()) {
    const depth = depths[node] ?? 0;
    const uppers = above.map((parent) => lowest(parent, depth));
    const item = newItem(depth, node);
    items[node] = item;
    for (const upper of uppers) if (upper !== null) link(upper, item);
  }
  order(layers);
  place(layers, size);
  return draw(layers, parents.length, size);
}

/** As far down as possible for what has nothing above it, else one below the lowest parent. */
function depthsOf(parents: readonly (readonly number[])[]): number[] {
  const depths: number[] = [];
  for (const above of parents) depths.push(Math.max(-1, ...above.map((parent) => depths[parent] ?? -1)) + 1);
  for (const [node, above] of parents.entries()) {
    if (above.length > 0) continue;
    const readers = parents.flatMap((other, reader) => (other.includes(node) ? [depths[reader] ?? 0] : []));
    if (readers.length > 0) depths[node] = Math.max(0, Math.min(...readers) - 1);
  }
  return depths;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Each layer by the mean place of its neighbours, downwards and upwards by turns. */
function order(layers: readonly Item[][]): void {
  const number = (): void => {
    for (const layer of layers) for (const [index, item] of layer.entries()) item.x = index;
  };
  number();
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : layers.toReversed()) {
      const wanted = new Map(
        layer.map((item) => {
          const near = isDown ? item.above : item.below;
          return [item, near.length === 0 ? item.x : mean(near.map(({ x }) => x))];
        }),
      );
      layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
      for (const [index, item] of layer.entries()) item.x = index;
    }
  }
}

/** The middle of each item: near its neighbours, and not nearer to those beside it than the sizes allow. */
function place(layers: readonly Item[][], { width, gapX }: LayoutSize): void {
  const half = (item: Item): number => (item.node === null ? passing : width) / 2;
  for (let sweep = 0; sweep < sweeps + 1; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : layers.toReversed()) {
      let offset = 0;
      const offsets = layer.map((item, index) => {
        const before = layer[index - 1];
        if (before !== undefined) offset += half(before) + gapX + half(item);
        return offset;
      });
      const wanted = layer.map((item, index) => {
        const near = isDown ? item.above : item.below;
        const both = near.length === 0 ? [...item.above, ...item.below] : near;
        return (both.length === 0 ? 0 : mean(both.map(({ x }) => x))) - (offsets[index] ?? 0);
      });
      const weights = layer.map(({ node }) => (node === null ? 4 : 1));
      for (const [index, value] of rising(wanted, weights).entries()) {
        const item = layer[index];
        if (item !== undefined) item.x = value + (offsets[index] ?? 0);
      }
    }
  }
}

/** The nearest values that do not fall, by least squares: neighbours that would fall are pooled. */
function rising(values: readonly number[], weights: readonly number[]): number[] {
  const pools: { sum: number; weight: number; count: number }[] = [];
  for (const [index, value] of values.entries()) {
    const weight = weights[index] ?? 1;
    pools.push({ sum: value * weight, weight, count: 1 });
    for (;;) {
      const [before, last] = pools.slice(-2);
      if (before === undefined || last === undefined) break;
      if (before.sum / before.weight <= last.sum / last.weight) break;
      pools.splice(-2, 2, {
        sum: before.sum + last.sum,
        weight: before.weight + last.weight,
        count: before.count + last.count,
      });
    }
  }
  return pools.flatMap(({ sum, weight, count }) => Array.from({ length: count }, () => sum / weight));
}

function draw(layers: readonly Item[][], count: number, { width, height, gapY }: LayoutSize): Layout {
  const all = layers.flat();
  const left = Math.min(...all.map((item) => item.x - (item.node === null ? passing : width) / 2)) - border;
  const right = Math.max(...all.map((item) => item.x + (item.node === null ? passing : width) / 2)) + border;
  const boxes = Array.from({ length: count }, () => ({ x: 0, y: 0 }));
  const edges: string[] = [];
  const round = (value: number): number => Math.round(value * 10) / 10;
  for (const [depth, layer] of layers.entries()) {
    const top = border + depth * (height + gapY);
    for (const item of layer) {
      const x = item.x - left;
      if (item.node !== null) boxes[item.node] = { x: round(x - width / 2), y: top };
      else edges.push(`M${round(x)} ${top}V${top + height}`);
      for (const { x: other } of item.below) {
        const [from, to] = [top + height, top + height + gapY];
        const middle = (from + to) / 2;
        const target = round(other - left);
        edges.push(`M${round(x)} ${from}C${round(x)} ${middle} ${target} ${middle} ${target} ${to}`);
      }
    }
  }
  const bottom = layers.length * (height + gapY) - gapY + 2 * border;
  return { width: all.length === 0 ? 0 : round(right - left), height: Math.max(0, bottom), boxes, edges };
}
