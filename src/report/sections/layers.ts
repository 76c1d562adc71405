import { bar } from '../charts.ts';
import { noiseShares } from '../diagnosis.ts';
import { NOT_MEASURED, fixed, integer, orNone, percent, shapeText, significant } from '../format.ts';
import { idleChannels, weightRangeRatio } from '../lints.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Test } from '../report.ts';

type Layer = Test['metrics']['layers'][number];

export function layersSection({ metrics, diagnosis }: Test): Markup | null {
  if (metrics.layers.length === 0) return null;
  return markup`<p class="lead">SQNR is the signal-to-quantization-noise ratio; higher is better. Float to fake-quant shows the cost of ranges and 8 bits, fake-quant to int8 the cost of integer kernels. Share of output error: the effect of this layer's quantizers alone on the output of the network. Within 1 step: share of outputs within one step (one unit of the scale) of fake-quant, for this kernel alone; below, for the whole network so far.</p>
${diagnosis === null ? null : markup`<p>${diagnosis.sentence}</p>`}
${table(metrics.layers, layerColumns(metrics.layers), { sorting: 'sortable', width: 'full' })}`;
}

function layerColumns(layers: readonly Layer[]): Column<Layer>[] {
  const shares = noiseShares(layers);
  return [
    {
      head: 'Layer',
      kind: 'text',
      cell: ({ name, op, shape }) =>
        markup`${breakable(name)}<small>${name.endsWith(op) ? '' : `${op} `}${shapeText(shape)}</small>`,
    },
    {
      head: 'Scale',
      kind: 'number',
      cell: ({ scale, zeroPoint }) => markup`${significant(scale)}<small>zero ${integer(zeroPoint)}</small>`,
      value: ({ scale }) => scale,
    },
    {
      head: 'Weight range ratio',
      kind: 'number',
      cell: ({ filter }) => (filter === null ? NOT_MEASURED : filterCell(filter)),
      value: ({ filter }) => weightRangeRatio(filter),
    },
    {
      head: 'Largest multiplier',
      kind: 'number',
      cell: ({ filter }) =>
        filter === null || filter.multipliers === null
          ? NOT_MEASURED
          : markup`${significant(filter.multipliers.max)}<small>smallest ${significant(filter.multipliers.min)}</small>`,
      value: ({ filter }) => filter?.multipliers?.max ?? null,
    },
    {
      head: 'Float to fake-quant, dB',
      kind: 'number',
      cell: ({ fakeQuantSqnrDb }) => orNone(fakeQuantSqnrDb, (value) => fixed(value, 1)),
      value: ({ fakeQuantSqnrDb }) => fakeQuantSqnrDb,
    },
    {
      head: 'Fake-quant to int8, dB',
      kind: 'number',
      cell: ({ sqnrDb, largestDifference }) =>
        sqnrDb === null && largestDifference === 0 ? 'exact' : orNone(sqnrDb, (value) => fixed(value, 1)),
      value: ({ sqnrDb }) => sqnrDb,
    },
    {
      head: 'Float to int8, dB',
      kind: 'number',
      cell: ({ floatSqnrDb }) => orNone(floatSqnrDb, (value) => fixed(value, 1)),
      value: ({ floatSqnrDb }) => floatSqnrDb,
    },
    {
      head: 'Share of output error',
      kind: 'number',
      cell: ({ name }) => {
        const part = shares.get(name);
        return part === undefined ? NOT_MEASURED : markup`${fixed(100 * part, 1)} %<small>${bar(part, 1)}</small>`;
      },
      value: ({ name }) => shares.get(name) ?? null,
    },
    {
      head: 'Within 1 step',
      kind: 'number',
      cell: ({ kernel, withinOneStep }) =>
        markup`${orNone(kernel?.withinOneStep ?? null, percent)}<small>so far ${orNone(withinOneStep, percent)}</small>`,
      value: ({ kernel }) => kernel?.withinOneStep ?? null,
    },
    {
      head: 'Clipped',
      kind: 'number',
      cell: ({ clipped }) => (clipped === null ? NOT_MEASURED : clippedCell(clipped)),
      value: ({ clipped }) => (clipped === null ? null : clipped.below + clipped.above),
    },
    {
      head: 'Codes of 256',
      kind: 'number',
      cell: ({ usedCodes, headroom }) =>
        markup`${orNone(usedCodes, integer)}${
          headroom === null ? null : markup`<small>headroom ${fixed(headroom, 1)}\u00d7</small>`
        }`,
      value: ({ usedCodes }) => usedCodes,
    },
  ];
}

/** A path may be broken behind its slashes. */
function breakable(name: string): Markup {
  return markup`${name.split('/').map((part, index) => (index === 0 ? part : markup`/<wbr>${part}`))}`;
}

function filterCell(filter: NonNullable<Layer['filter']>): Markup {
  const ratio = orNone(weightRangeRatio(filter), (value) => `${fixed(value, value < 100 ? 1 : 0)}\u00d7`);
  const idle = idleChannels(filter);
  return markup`${ratio}<small>${idle === 0 ? '' : `${integer(idle)} of `}${integer(filter.channels)} ${
    idle === 0 ? 'channels' : 'dead'
  }</small>`;
}

function clippedCell({ below, above }: NonNullable<Layer['clipped']>): Markup {
  const sides = [below > 0 ? `${percent(below)} below` : null, above > 0 ? `${percent(above)} above` : null];
  return markup`${percent(below + above)}${
    below > 0 && above > 0 ? sides.map((side) => markup`<small>${side}</small>`) : null
  }`;
}
