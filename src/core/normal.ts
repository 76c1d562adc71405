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
export function normal(random: Random): number {
  const { uint32, float } = random;
  return accepted(uint32(), float) ?? normal(random);
}

/** Writes the numbers that as many calls of `normal` would give, several times as fast. */
export function normals(random: Random, out: Float64Array): void {
  const drawn = { words: new Uint32Array(0), next: 0 };
  const float = (): number =>
    (drawn.next < drawn.words.length ? drawn.words[drawn.next++]! >>> 8 : random.uint32() >>> 8) * 2 ** -24;
  for (let at = 0; at < out.length;) {
    // Each number takes a word or more, so that no more words are drawn than are needed.
    const words = new Uint32Array(out.length - at);
    random.words(words);
    drawn.words = words;
    for (let next = 0; next < words.length;) {
      const word = words[next++]!;
      const layer = word & (layers - 1);
      const x = (word >>> 8) * 2 ** -24 * edges[layer]!;
      // Half of the signs are negative: no branch could guess them.
      if (x < edges[layer + 1]!) out[at++] = signOf(word) * x;
      else {
        drawn.next = next;
        const value = accepted(word, float);
        next = drawn.next;
        if (value !== null) out[at++] = value;
      }
    }
  }
}

/** Whether a height is below the density at x. `Math.exp` is fast, but not the same on every machine in its last bits. */
function isBelow(height: number, x: number): boolean {
  const difference = Math.exp(-0.5 * x * x) - height;
  return Math.abs(difference) > 1e-9 ? difference > 0 : height < density(x);
}

/** Of the bit above those of the layer. */
const signOf = (word: number): number => 1 - ((word >>> 6) & 2);

/** The number that a word stands for; null where another word has to be drawn. */
function accepted(word: number, float: () => number): number | null {
  const layer = word & (layers - 1);
  const sign = signOf(word);
  // The other 24 bits say where in the layer.
  const x = (word >>> 8) * 2 ** -24 * edges[layer]!;
  if (x < edges[layer + 1]!) return sign * x;
  if (layer === 0) return sign * beyondTail(float);
  const height = heights[layer]! + float() * (heights[layer + 1]! - heights[layer]!);
  return isBelow(height, x) ? sign * x : null;
}

function beyondTail(float: () => number): number {
  for (;;) {
    // 1 - float() is never 0.
    const x = -log(1 - float()) / tail;
    if (-2 * log(1 - float()) >= x * x) return tail + x;
  }
}
