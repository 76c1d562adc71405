/** Numbers of several processes to one, and ratios between two that were measured in the same rounds. */

/** @typedef {import('./cases.js').Case} Case */
/** @typedef {import('./cases.js').Level} Level */
/** @typedef {import('./cases.js').Network} Network */
/** @typedef {import('./cases.js').Who} Who */

/**
 * @typedef {object} Sample what one process measured, in ms
 * @property {number} median over its steps
 * @property {number} best of its steps
 */

/** @typedef {Case & { readonly samples: readonly Sample[] }} Measured one sample a round */
/** @typedef {{ readonly median: number, readonly low: number, readonly high: number }} Spread */
/** @typedef {{ readonly network: Network, readonly level: Level, readonly who: Who }} Named */

/**
 * The middle value; of an even number the mean of the two in the middle.
 *
 * @param {readonly number[]} values at least one
 * @returns {number}
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('internal: the median of nothing');
  return (low + high) / 2;
}

/** @type {(values: readonly number[]) => Spread} */
const spreadOf = (values) => ({ median: median(values), low: Math.min(...values), high: Math.max(...values) });

/**
 * Over the processes, of their medians; and the best step of all.
 *
 * @param {Measured} measured
 * @returns {Spread & { readonly best: number }}
 */
export function times({ samples }) {
  return {
    ...spreadOf(samples.map((sample) => sample.median)),
    best: Math.min(...samples.map(({ best }) => best)),
  };
}

/**
 * The median over the rounds of one's time divided by the other's of the same round: what slows a whole round down
 * cancels.
 *
 * @param {Measured} one
 * @param {Measured} other
 * @returns {Spread}
 */
export function ratio(one, other) {
  const rounds = Math.min(one.samples.length, other.samples.length);
  return spreadOf(
    Array.from({ length: rounds }, (_, round) => {
      const [above, below] = [one.samples[round], other.samples[round]];
      if (above === undefined || below === undefined) throw new Error('internal: a round without its sample');
      return above.median / below.median;
    }),
  );
}

/** @type {(all: readonly Measured[], named: Named) => Measured | undefined} */
export const find = (all, { network, level, who }) =>
  all.find((one) => one.network === network && one.level === level && one.who === who);

/** @typedef {{ readonly one: Named, readonly other: Named, readonly atMost: number }} Wanted */

/**
 * The ratios that are asked of the engines.
 *
 * @type {readonly Wanted[]}
 */
export const wanted = [
  between('resnet8', ['tensorflow', 'qat'], ['tfmot', 'qat'], 0.85),
  between('lenet5', ['tensorflow', 'qat'], ['tfmot', 'qat'], 0.9),
  between('resnet8', ['tensorflow', 'qat'], ['torch', 'qat'], 0.6),
  .../** @type {const} */ (['wasm-strict', 'wasm-fast', 'tensorflow']).flatMap((who) =>
    /** @type {const} */ (['resnet8', 'lenet5']).map((network) => between(network, [who, 'qat'], [who, 'float'], 1.25)),
  ),
];

/** @type {(network: Network, one: [Who, Level], other: [Who, Level], atMost: number) => Wanted} */
function between(network, one, other, atMost) {
  /** @type {(named: [Who, Level]) => Named} */
  const named = ([who, level]) => ({ network, level, who });
  return { one: named(one), other: named(other), atMost };
}

/**
 * The wanted ratios whose two sides were measured.
 *
 * @param {readonly Measured[]} all
 * @returns {readonly (Wanted & { readonly found: Spread })[]}
 */
export function summarize(all) {
  return wanted.flatMap((want) => {
    const [one, other] = [find(all, want.one), find(all, want.other)];
    return one === undefined || other === undefined ? [] : [{ ...want, found: ratio(one, other) }];
  });
}
