/** What a program that runs the model has to know: the file, its input and output, and what comes before the model. */
import { deviceCode } from '../../export/device-code.ts';
import type { TestMetrics } from '../../measurements/metrics.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Json } from '../../core/json.ts';
import { fullScale, integer, orNone, shapeText, significant } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import { fileLink } from './file-link.ts';
import type { Report } from '../report.ts';

export function portsSection({ model, tests, config }: Report): Markup | null {
  if (model === null) return null;
  const metrics = tests.at(-1)?.metrics;
  return markup`${modelTable(model)}
${
  // Values that are not pixels have a preparation of their own.
  metrics?.preparation == null ? pixelText(config, model) : preparationTable(metrics)
}`;
}

/** What a pixel is to the file; nothing where no `normalize` of one scale says it. */
function pixelText(config: Json, { input: { scale, zeroPoint, dtype } }: NonNullable<Report['model']>): Markup | null {
  const normalize = partOf(partOf(config, 'data'), 'normalize');
  const [step, mean] = [partOf(normalize, 'scale'), partOf(normalize, 'mean')];
  if (typeof step !== 'number' || typeof mean !== 'number') return null;
  const real = `${mean === 0 ? 'pixel' : `(pixel \u2212 ${significant(mean)})`} \u00d7 ${fullScale(step)}`;
  if (scale === null || zeroPoint === null) {
    return markup`<h3>Before the model</h3><p>Pixels are 0 to 255. The file takes ${real}.</p>`;
  }
  const offset = mean - zeroPoint;
  // The grid of the pixels is that of the codes.
  const code =
    Math.abs(step / scale - 1) < 1e-6
      ? `pixel${offset === 0 ? '' : ` ${offset < 0 ? '+' : '\u2212'} ${significant(Math.abs(offset))}`}`
      : `round(input / ${fullScale(scale)}) ${zeroPoint < 0 ? '\u2212' : '+'} ${integer(Math.abs(zeroPoint))}`;
  return markup`<h3>Before the model</h3>
<p>Pixels are 0 to 255, and the network was trained on input = ${real}. The ${dtype} file takes ${code}, clamped to ${dtype}.</p>`;
}

const partOf = (value: Json | undefined, name: string): Json | undefined =>
  isJsonObject(value) ? value[name] : undefined;

const MOST_CHANNELS = 32;

/** What a device has to compute before the model; nothing where raw values are its codes. */
function preparationTable(metrics: TestMetrics | undefined): Markup | null {
  const channels = metrics?.preparation ?? [];
  const changed = channels.filter(({ mean, deviation }) => mean !== 0 || deviation !== 1);
  if (metrics === undefined || changed.length === 0) return null;
  const code = deviceCode(channels, metrics.model.input);
  const more = changed.length - MOST_CHANNELS;
  const { scale, zeroPoint, dtype } = metrics.model.input;
  return markup`<h3>Before the model</h3>
<p>The network was trained on standardized values, so the device must standardize too: input = (measured \u2212 mean) / deviation, where \u201cmeasured\u201d is a value in the unit of the data that was trained on.${
    scale === null || zeroPoint === null
      ? null
      : ` The ${dtype} file then takes round(input / ${fullScale(scale)}) ${zeroPoint < 0 ? '\u2212' : '+'} ${integer(Math.abs(zeroPoint))}, clamped to ${dtype}.`
  }</p>
${table(
  changed.slice(0, MOST_CHANNELS),
  [
    { head: 'Channel', kind: 'text', cell: ({ name }) => name },
    { head: 'Mean', kind: 'number', cell: ({ mean }) => fullScale(mean) },
    { head: 'Deviation', kind: 'number', cell: ({ deviation }) => fullScale(deviation) },
  ],
  { sorting: 'fixed', width: 'narrow' },
)}${more > 0 ? markup`<p class="muted">${more} more are in report.json.</p>` : null}
<details><summary>As code</summary><pre>${code.c}</pre><pre>${code.javascript}</pre></details>`;
}

function modelTable(model: NonNullable<Report['model']>): Markup {
  const ports = [
    { role: 'input', ...model.input },
    { role: 'output', ...model.output },
  ];
  return markup`<h3>${fileLink(model.path)}</h3>
<p class="lead"> ${integer(model.bytes)} bytes, sha256 <code>${model.sha256}</code>. Its integers (codes) q mean real = scale \u00d7 (q \u2212 zero point).</p>
${table(
  ports,
  [
    { head: 'Tensor', kind: 'text', cell: ({ role, name }) => markup`${role}<small>${name}</small>` },
    { head: 'Type', kind: 'text', cell: ({ dtype }) => dtype },
    { head: 'Shape', kind: 'number', cell: ({ shape }) => shapeText(shape) },
    { head: 'Scale', kind: 'number', cell: ({ scale }) => orNone(scale, fullScale) },
    { head: 'Zero point', kind: 'number', cell: ({ zeroPoint }) => orNone(zeroPoint, integer) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}
