import { counted } from '../../core/words.ts';
import type { ConvertMetrics } from '../../measurements/metrics.ts';
import { arenaChart, largestBuffer } from '../charts/arena-chart.ts';
import type { Buffer } from '../charts/arena-chart.ts';
import { bar } from '../charts.ts';
import { NOT_MEASURED, bytes, capitalized, fixed, integer, percent, shapeText } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Report } from '../report.ts';

export function footprintSection({ conversions }: Report): Markup | null {
  if (conversions.length === 0) return null;
  return markup`${conversions.map(({ stage, metrics }) => {
    const parts = [
      { name: 'weights', size: metrics.sections.weights },
      { name: 'biases', size: metrics.sections.biases },
      { name: 'structure, names and metadata', size: metrics.sections.other },
    ];
    return markup`<p class="lead">${stage}: the ${metrics.scheme} file takes ${bytes(metrics.bytes)}. In float32, its parameters alone (batch norms folded) would take ${bytes(metrics.floatBytes)} (${fixed(metrics.floatBytes / metrics.bytes, 2)}\u00d7).</p>
${memoryText(metrics)}
<div class="stack" aria-hidden="true">${parts.map(
      ({ size }, color) =>
        markup`<span class="c${color}" style="width:${((100 * size) / metrics.bytes).toFixed(2)}%"></span>`,
    )}</div>
${table(
  parts.map((part, color) => ({ ...part, color })),
  [
    {
      head: 'Section',
      kind: 'text',
      cell: ({ name, color }) => markup`<span class="key dotted c${color}">${name}</span>`,
    },
    { head: 'Bytes', kind: 'number', cell: ({ size }) => integer(size) },
    { head: 'Share', kind: 'number', cell: ({ size }) => percent(size / metrics.bytes) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}
${arenaPart(metrics)}
${operatorsPart(metrics)}`;
  })}`;
}

/** What the file takes on a device; nothing in records that do not say. */
function memoryText({ memory, targets = [] }: ConvertMetrics): Markup | null {
  if (memory === undefined) return null;
  const taken = targets.map(({ title, leaves }) =>
    leaves.length === 0 ? `${title} takes the whole model` : `${title} takes all but ${counted(leaves.length, 'op')}`,
  );
  return markup`<p class="lead">In the arena of TensorFlow Lite Micro, activations and scratch buffers take ${bytes(memory.arena)}. The interpreter\u2019s own structures are in the arena too, so it has to be larger: the \`export\` stage writes a size that is enough. One inference takes ${integer(memory.macs)} multiply-accumulates (MACs).${
    taken.length === 0 ? '' : ` ${capitalized(taken.join('; '))}.`
  }</p>`;
}

/** Where the tensors lie, and which of them decides. Nothing in records of before that was kept. */
function arenaPart({ memory }: ConvertMetrics): Markup | null {
  const buffers = memory?.buffers ?? [];
  const largest = largestBuffer(buffers);
  if (memory === undefined || largest === undefined) return null;
  const columns: Column<Buffer>[] = [
    { head: 'Tensor', kind: 'text', cell: ({ name }) => name },
    { head: 'Bytes', kind: 'number', cell: (buffer) => integer(buffer.bytes) },
    { head: 'Offset', kind: 'number', cell: ({ offset }) => integer(offset) },
    { head: 'Ops', kind: 'number', cell: ({ first, last }) => `${first} to ${last}` },
  ];
  return markup`<h3>Memory at run time</h3>
<p class="lead">This is how TensorFlow Lite Micro plans memory for its reference kernels. Each box is a tensor, shown for as long as it is needed. A chip vendor\u2019s kernels may need more scratch memory, so for them this is an estimate. The largest tensor is <strong>${largest.name}</strong> with ${bytes(largest.bytes)}.</p>
${arenaChart(buffers, memory.arena)}
<details><summary>${counted(buffers.length, 'tensor')} in the arena</summary>${table(buffers, columns, { sorting: 'fixed', width: 'narrow' })}</details>`;
}

/** What runs, and where the multiplications are. */
function operatorsPart({ operators, memory }: ConvertMetrics): Markup {
  type Operator = ConvertMetrics['operators'][number];
  const most = Math.max(1, ...operators.map(({ macs = 0 }) => macs));
  const columns: Column<Operator>[] = [
    { head: 'Operator', kind: 'text', cell: ({ op, name }) => markup`${name}<small>${op}</small>` },
    { head: 'Output', kind: 'number', cell: ({ outputShape }) => shapeText(outputShape) },
  ];
  const multiplications: Column<Operator> = {
    head: 'MACs',
    kind: 'number',
    cell: ({ macs = 0 }) =>
      macs === 0
        ? NOT_MEASURED
        : markup`${integer(macs)}<small>${bar(macs / most, 0)}${percent(macs / (memory?.macs ?? macs))}</small>`,
  };
  const shown = operators.some(({ macs }) => macs !== undefined) ? [...columns, multiplications] : columns;
  return markup`<details><summary>${counted(operators.length, 'operator')}, with their MACs</summary>${table(operators, shown, { sorting: 'fixed', width: 'full' })}</details>`;
}
