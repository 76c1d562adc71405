/**
 * Normally distributed numbers, the same on every machine, by the ziggurat of Marsaglia and Tsang: of 128 layers of equal
 * area, nearly every number is one word of the generator, one comparison and one multiplication.
 *
 * @see https://doi.org/10.18637/jss.v005.i08
 */
import { exp, log } from './math.ts';
import type { Random } from './random.ts';

const layers = 128;
/** Where the tail begins, and the area of a layer, of which the lowest has the tail in it. */
const tail = 3.442619855899;
const area = 9.91256303526217e-3;

const density = (x: number): number => exp(-0.5 * x * x);

/** The right edge of each layer, the widest first; the last is 0, above the top layer. */
const edges = new Float64Array(layers + 1);
/** The density at them. */
const heights = new Float64Array(layers + 1);

function fillTables(): void {
  // As wide as if the lowest layer were a rectangle too.
  edges[0] = area / density(tail);
  edges[1] = tail;
  for (let layer = 2; layer < layers; layer++) {
    const x = edges[layer - 1]!;
    edges[layer] = Math.sqrt(-2 * log(area / x + density(x)));
  }
  for (let layer = 0; layer <= layers; layer++) heights[layer] = density(edges[layer]!);
}
fillTables();

/** A number with mean 0 and standard deviation 1. */
export function normal({ uint32, float }: Random): number {
  for (;;) {
    const word = uint32();
    const layer = word & (layers - 1);
    const sign = (word & layers) === 0 ? 1 : -1;
    // The other 24 bits say where in the layer.
    const x = (word >>> 8) * 2 ** -24 * edges[layer]!;
    if (x < edges[layer + 1]!) return sign * x;
    if (layer === 0) return sign * beyondTail(float);
    const height = heights[layer]! + float() * (heights[layer + 1]! - heights[layer]!);
    if (height < density(x)) return sign * x;
  }
}

function beyondTail(float: () => number): number {
  for (;;) {
    // 1 - float() is never 0.
    const x = -log(1 - float()) / tail;
    if (-2 * log(1 - float()) >= x * x) return tail + x;
  }
}
