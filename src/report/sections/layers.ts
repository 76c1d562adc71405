import { exp } from '../../core/math.ts';
import { counted } from '../../core/words.ts';
import { bar } from '../charts.ts';
import { place } from '../charts/axes.ts';
import { channelChart, histogramChart } from '../charts/histogram-chart.ts';
import { noiseShares } from '../diagnosis.ts';
import { NOT_MEASURED, decibel, fixed, integer, orNone, percent, shapeText, significant } from '../format.ts';
import { idleChannels, numValues, thresholds, weightRangeRatio } from '../lints.ts';
import { breakable, markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Column } from '../page.ts';
import { foldTable } from '../fold-table.ts';
import type { Test } from '../report.ts';

type Layer = Test['metrics']['layers'][number];

/** Where the accuracy went, from the input to the output. */
export function layersSection({ metrics, diagnosis }: Test): Markup | null {
  const { layers, compared } = metrics;
  if (layers.length === 0) return null;
  return markup`<p class="lead">int8 against float with the same weights, layer by layer, on ${counted(compared, 'test example')}. Open a layer to see its values and weights.</p>
<dl class="help">
<div><dt>Noise so far</dt><dd>How far int8 is from float after this layer, with the noise of all layers before it, relative to the signal (root mean square; a signal-to-quantization-noise ratio, SQNR, of 40\u00a0dB is 1\u00a0%). It may fall again, for example where values are averaged. <span class="key dotted c0">from rounding to 8 bits</span> <span class="key dotted c1">from integer kernels, which round once more than training simulates</span></dd></div>
<div><dt>Share of rounding noise</dt><dd>How much of the rounding noise at the model’s output this layer alone puts there. All layers together: 100\u00a0%. Begin with the largest.</dd></div>
<div><dt>Clipped</dt><dd>Share of values outside the layer’s range. They become its ends.</dd></div>
<div><dt>Codes</dt><dd>How many of the 256 integers (codes) of 8 bits the layer’s values use; – where these are too few to tell.</dd></div>
</dl>
${foldTable(layers, layerColumns(layers, compared, diagnosis?.layer ?? null), {
  summary: 'values, weights, numbers',
  body: layerDetails,
})}`;
}

function layerColumns(
  layers: readonly Layer[],
  compared: number,
  blamed: string | null,
): (Column<Layer> & { wideOnly?: true })[] {
  const shares = noiseShares(layers);
  const largest = Math.max(1e-9, ...layers.map((layer) => noiseOf(layer)?.whole ?? 0));
  return [
    {
      head: 'Layer',
      kind: 'text',
      cell: ({ name, op, shape }) =>
        markup`${breakable(name)}<small>${name.endsWith(op) ? '' : `${op} `}${shapeText(shape)}</small>${
          name === blamed ? markup`<small class="blamed">costs most</small>` : null
        }`,
    },
    {
      head: 'Noise so far',
      kind: 'number',
      cell: (layer) => noiseCell(layer, largest),
      value: (layer) => noiseOf(layer)?.whole ?? null,
    },
    {
      head: 'Share of rounding noise',
      kind: 'number',
      cell: ({ name }) => {
        const part = shares.get(name);
        return part === undefined ? NOT_MEASURED : markup`${fixed(100 * part, 1)} %<small>${bar(part, 2)}</small>`;
      },
      value: ({ name }) => shares.get(name) ?? null,
    },
    {
      head: 'Clipped',
      kind: 'number',
      wideOnly: true,
      cell: ({ clipped }) => orNone(clippedShare(clipped), percent),
      value: ({ clipped }) => clippedShare(clipped),
    },
    {
      head: 'Codes',
      kind: 'number',
      wideOnly: true,
      cell: (layer) => orNone(usedCodesOf(layer, compared), integer),
      value: (layer) => usedCodesOf(layer, compared),
    },
  ];
}

/** Few values use few codes, whatever their range. */
const usedCodesOf = (layer: Layer, compared: number): number | null =>
  numValues(layer, compared) < thresholds.countedValues ? null : layer.usedCodes;

interface Noise {
  /** Of the root mean square of the signal. */
  readonly whole: number;
  /** Of the noise power, 0..1. */
  readonly kernels: number;
}

/** Null where nothing was measured or nothing differs. */
function noiseOf({ floatSqnrDb, sqnrDb }: Layer): Noise | null {
  if (floatSqnrDb === null) return null;
  const kernels = sqnrDb === null ? 0 : Math.min(1, exp(((floatSqnrDb - sqnrDb) / 10) * Math.LN10));
  return { whole: exp((-floatSqnrDb / 20) * Math.LN10), kernels };
}

/** A bar on one scale for all layers, in two parts. */
function noiseCell(layer: Layer, largest: number): Markup | string {
  const noise = noiseOf(layer);
  if (noise === null) return layer.largestDifference === 0 ? 'none' : NOT_MEASURED;
  const { whole, kernels } = noise;
  const length = (100 * whole) / largest;
  const parts = `${fixed(100 * (1 - kernels), 0)} % of the noise power from ranges, ${fixed(100 * kernels, 0)} % from kernels`;
  return markup`${percent(whole)}<small><span class="bar noise" role="img" aria-label="${parts}"><span class="fill c0" style="width:${place(length * (1 - kernels))}%"></span><span class="fill c1" style="width:${place(length * kernels)}%"></span></span></small>`;
}

function clippedShare(clipped: Layer['clipped']): number | null {
  return clipped === null ? null : clipped.below + clipped.above;
}

function layerDetails(layer: Layer): Markup {
  const { activations, filter } = layer;
  const weights = filter?.weights;
  return markup`<div class="charts layer">${
    activations === undefined
      ? null
      : histogramChart({
          title: 'Values',
          note: rangeText(activations, layer.clipped),
          histogram: activations.values,
          range: activations,
        })
  }${
    weights === undefined
      ? null
      : markup`${histogramChart({ title: 'Weights', note: 'of all channels', histogram: weights.values, range: null })}${channelChart(
          'Weights by channel',
          channelNote(filter),
          weights.channels,
        )}`
  }</div>
<dl class="numbers">${numbersOf(layer).map(({ name, text }) => markup`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;
}

function rangeText({ min, max }: NonNullable<Layer['activations']>, clipped: Layer['clipped']): string {
  const cut = clipped === null || clipped.below + clipped.above === 0 ? '' : `, ${clippedText(clipped)}`;
  return `range ${significant(min)} to ${significant(max)}${cut}`;
}

function clippedText({ below, above }: NonNullable<Layer['clipped']>): string {
  const sides = [below > 0 ? `${percent(below)} below` : null, above > 0 ? `${percent(above)} above` : null];
  return sides.filter((side) => side !== null).join(', ') || 'none';
}

function channelNote(filter: Layer['filter']): string {
  const ratio = weightRangeRatio(filter);
  const { channels = 0, weights } = filter ?? {};
  const shown = weights === undefined || weights.channels.length === channels ? '' : `${weights.channels.length} of `;
  const spread = ratio === null ? '' : `, the widest ${fixed(ratio, ratio < 100 ? 1 : 0)}\u00d7 the narrowest`;
  return `${shown}${integer(channels)} channels${spread}`;
}

/** What the table has no room for. */
function numbersOf(layer: Layer): { name: string; text: string }[] {
  const { scale, zeroPoint, filter, kernel } = layer;
  const idle = filter === null ? 0 : idleChannels(filter);
  const some = (name: string, text: string | null) => (text === null ? [] : [{ name, text }]);
  const sqnr = (value: number | null): string => (value === null ? 'exact' : decibel(value));
  return [
    ...some('Scale and zero point', `${significant(scale)}, ${integer(zeroPoint)}`),
    ...some('Range', ownership(layer)),
    ...some('Clipped', layer.clipped === null ? null : clippedText(layer.clipped)),
    ...some('Codes used', layer.usedCodes === null ? null : `${integer(layer.usedCodes)} of 256`),
    ...some(
      'Headroom',
      layer.headroom === null ? null : `${fixed(layer.headroom, 1)}\u00d7 what 99.9 % of values need`,
    ),
    ...some('SQNR, float to fake-quant', sqnr(layer.fakeQuantSqnrDb)),
    ...some('SQNR, fake-quant to int8', sqnr(layer.sqnrDb)),
    ...some('SQNR, float to int8', sqnr(layer.floatSqnrDb)),
    ...some('Within one code, this kernel alone', kernel === null ? null : percent(kernel.withinOneStep)),
    ...some('Within one code, up to here', layer.withinOneStep === null ? null : percent(layer.withinOneStep)),
    ...some('Multipliers', multiplierText(filter)),
    ...some('Channels without effect', filter === null ? null : `${integer(idle)} of ${integer(filter.channels)}`),
  ];
}

function ownership({ range, sharedRange }: Layer): string {
  if (sharedRange !== null) return `that of ${sharedRange.by}, which ${sharedRange.neededBy} needs`;
  switch (range) {
    case 'own':
      return 'its own';
    case 'shared':
      return 'same as its input';
    default:
      return 'fixed by the int8 specification';
  }
}

function multiplierText(filter: Layer['filter']): string | null {
  if (filter === null || filter.multipliers === null) return null;
  return `${significant(filter.multipliers.min)} to ${significant(filter.multipliers.max)}`;
}
