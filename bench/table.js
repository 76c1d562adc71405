/** Results as tables: for a terminal and as Markdown. */
import Table from 'cli-table3';
import { find, ratio, summarize, times } from './statistics.js';

/** @typedef {import('./statistics.js').Measured} Measured */
/** @typedef {import('./statistics.js').Spread} Spread */
/** @typedef {import('./cases.js').Level} Level */
/** @typedef {import('./cases.js').Who} Who */
/** @typedef {{ readonly head: readonly string[], readonly rows: readonly (readonly string[])[] }} Cells */

/** @type {{ readonly [L in Level]: Who }} */
const nearestPeers = { float: 'keras', qat: 'tfmot', int8: 'tflite' };

/**
 * Three significant digits: more is noise.
 *
 * @type {(value: number) => string}
 */
const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** @type {(spread: Spread) => string} */
const range = ({ low, high }) => `${digits(low)} to ${digits(high)}`;

/** @type {(ratio: Spread) => string} */
const ratioText = ({ median, low, high }) => `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;

/**
 * A row for each case: its time, and that time divided by the peers' of the same network and level.
 *
 * @param {readonly Measured[]} all
 * @returns {Cells}
 */
export function timeTable(all) {
  /** @type {(one: Measured, who: Who) => string} */
  const beside = (one, who) => {
    const other = find(all, { ...one, who });
    return other === undefined || other === one ? '' : ratioText(ratio(one, other));
  };
  return {
    head: ['network', 'level', 'who', 'ms', 'range', 'best', '/ Keras, tfmot, tflite', '/ PyTorch'],
    rows: all.map((one) => {
      const { median, best, ...rest } = times(one);
      return [
        ...[one.network, one.level, one.who, digits(median), range({ median, ...rest }), digits(best)],
        ...[beside(one, nearestPeers[one.level]), beside(one, 'torch')],
      ];
    }),
  };
}

/**
 * The ratios that are wanted, as far as both sides were measured.
 *
 * @param {readonly Measured[]} all
 * @returns {Cells}
 */
export function summaryTable(all) {
  return {
    head: ['network', 'ratio', 'measured', 'wanted', ''],
    rows: summarize(all).map(({ one, other, atMost, found }) => [
      one.network,
      `${one.who} ${one.level} / ${other.who} ${other.level}`,
      ratioText(found),
      `at most ${atMost}`,
      found.median <= atMost ? 'yes' : 'no',
    ]),
  };
}

/** @type {(cells: Cells) => string} */
export function terminalTable({ head, rows }) {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** @type {(cells: Cells) => string} */
export function markdownTable({ head, rows }) {
  /** @type {(cells: readonly string[]) => string} */
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
