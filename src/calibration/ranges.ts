/** Ranges of activations from calibration examples. */
import { present } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import { floatTensor } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { estimatedRanges } from '../graph/variables.ts';
import type { Ranges } from '../passes/index.ts';
import { removeFakeQuant } from '../passes/index.ts';
import { SMALLEST_ACTIVATION_RANGE } from '../ops/fake_quant.ts';
import type { CalibrationExamples } from './examples.ts';
import { runOver } from './examples.ts';
import type { Extent, Histogram } from './histogram.ts';
import { collectExtent, collectHistogram } from './histogram.ts';
import type { RangeMethod } from './range-methods.ts';
import { chooseRange, needsHistogram } from './range-methods.ts';

/** The range of one quantizer, in float32. */
export interface CalibratedRange extends Extent {
  readonly quantizer: string;
  /** Names of the variables that hold the ends. */
  readonly names: { readonly min: string; readonly max: string };
  /** Of all values of the examples. */
  readonly observed: Extent;
}

/** What ranges are before calibration: any, since their quantizers are taken out. */
export const unknownRanges: Ranges = {
  kind: 'trained',
  range: () => ({ min: floatTensor([], [0]), max: floatTensor([], [1]) }),
};

/**
 * Chooses a range for each quantizer of activations whose range is not given, from the values that the float graph has
 * where the quantizer stands.
 *
 * @param evalGraph batch 1, with any ranges
 * @returns in graph order
 * @throws UserError where a value is not finite
 */
export async function calibrateRanges(
  evalGraph: Graph,
  method: RangeMethod,
  examples: CalibrationExamples,
): Promise<readonly CalibratedRange[]> {
  const quantizers = estimatedRanges(evalGraph).map((range) => ({
    ...range,
    value: quantizedValue(evalGraph, range.min),
  }));
  const names = quantizers.map(({ value }) => value);
  const float = removeFakeQuant({ ...evalGraph, outputs: names });
  const extents = await extentsOf(float, names, examples);
  const histograms = needsHistogram(method) ? await histogramsOf(float, extents, examples) : null;
  return quantizers.map(({ quantizer, value, min, max }) => {
    const observed = present(extents.get(value), `extent of "${value}"`);
    const histogram = (): Histogram => present(histograms?.get(value), `histogram of "${value}"`);
    const chosen = chooseRange(method, observed, histogram);
    return { quantizer, names: { min, max }, observed, min: endOf(chosen.min), max: endOf(chosen.max) };
  });
}

/** What the first quantizer with this range reads: others hand the range on. */
function quantizedValue(graph: Graph, rangeMin: string): string {
  const quantizer = graph.nodes.find(({ op, inputs }) => op === 'fake_quant' && inputs[1] === rangeMin);
  return present(quantizer?.inputs[0], `quantizer with the range "${rangeMin}"`);
}

/** As training leaves the ends of a range: float32, and 0 where it is next to that. */
function endOf(value: number): number {
  const end = Math.fround(value);
  return Math.abs(end) < SMALLEST_ACTIVATION_RANGE ? 0 : end;
}

async function extentsOf(
  float: Graph,
  names: readonly string[],
  examples: CalibrationExamples,
): Promise<ReadonlyMap<string, Extent>> {
  const collectors = new Map(names.map((name) => [name, collectExtent()]));
  const infinite = new Set<string>();
  await runOver(float, names, examples, (name, values) => {
    if (!present(collectors.get(name), name).add(values)) infinite.add(name);
  });
  const [first] = float.nodes.filter(({ name }) => infinite.has(name));
  if (first === undefined) return new Map([...collectors].map(([name, collector]) => [name, collector.extent()]));
  throw userError(
    'the calibration examples',
    'not-finite',
    `\`${first.name}\` gives values that are not finite, so it has no range`,
    'look for NaN or very large numbers in the weights of the float model and in the training examples',
  );
}

async function histogramsOf(
  float: Graph,
  extents: ReadonlyMap<string, Extent>,
  examples: CalibrationExamples,
): Promise<ReadonlyMap<string, Histogram>> {
  // What is always zero has no width to divide into bins.
  const varying = [...extents].filter(([, { min, max }]) => max > min);
  const collectors = new Map(varying.map(([name, extent]) => [name, collectHistogram(extent)]));
  await runOver(float, [...collectors.keys()], examples, (name, values) => {
    present(collectors.get(name), name).add(values);
  });
  return new Map([...collectors].map(([name, collector]) => [name, collector.histogram()]));
}
