/** The tiles at the top: what a device gets, and what that costs. */
import { noiseShares } from '../diagnosis.ts';
import { bytes, change, fixed, integer, percent, points, significant } from '../format.ts';
import { breakable, markup, nothing } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { bestGroup, differenceText, measureText } from '../matrix.ts';
import { headlineTests } from '../report.ts';
import type { Report, Test } from '../report.ts';
import { accuracyName } from '../titles.ts';

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

/** Of the model whose numbers stand at the top. */
export function factsList(report: Report): Markup {
  const tests = headlineTests(report);
  const [only, ...others] = tests;
  const results = only === undefined || others.length > 0 ? tests.flatMap(outputFact) : resultFacts(only);
  const facts = [...seedFacts(report), ...results, ...deviceFacts(report), ...tests.flatMap(layerFacts)];
  if (facts.length === 0) return nothing;
  return markup`<dl class="facts">${facts.map(
    ({ name, value, note }) => markup`<div><dt>${name}</dt><dd>${value}<small>${breakable(note)}</small></dd></div>`,
  )}</dl>`;
}

/** What the settings reach, of which the model below is the best of several trainings. */
function seedFacts({ matrix }: Report): Fact[] {
  const group = bestGroup(matrix);
  if (group === undefined) return [];
  const { kind, measure, int8 } = group;
  const deviation = int8.deviation === null ? '' : `\u00b1 ${differenceText(kind, int8.deviation)}, `;
  const note = `${deviation}int8 ${measure} on a microcontroller: what the settings reach`;
  return [{ name: `Mean of ${int8.n} seeds`, value: measureText(kind, int8.mean), note }];
}

/** On both kinds of devices, and what was lost on the way. */
function resultFacts(test: Test): Fact[] {
  const { name, text, int8, litert, loss } = measuresOf(test);
  if (int8 === null) return [];
  const fact = (device: string, runtime: string, { value, interval: { low, high } }: Measure): Fact => ({
    name: `On a ${device}`,
    value: text(value),
    note: `${name}, computed as ${runtime} does; 95\u00a0%:\u00a0${text(low)} to\u00a0${text(high)}`,
  });
  const facts = [fact('microcontroller', 'TFLM', int8)];
  if (litert !== null) facts.push(fact('phone or browser', 'LiteRT', litert));
  if (loss !== null) {
    const note = ['on a microcontroller', ...(loss.note === '' ? [] : [loss.note])].join('; ');
    facts.push({ name: 'int8 against float', value: loss.value, note });
  }
  return facts;
}

/** Of one of several outputs all in one tile, so that there is room for each. */
function outputFact(test: Test): Fact[] {
  const { name, text, int8, litert, loss } = measuresOf(test);
  if (int8 === null) return [];
  const parts = [
    'on a microcontroller (TFLM)',
    ...(litert === null ? [] : [`phone or browser (LiteRT): ${text(litert.value)}`]),
    ...(loss === null ? [] : [`${loss.value} against float (${loss.note})`]),
  ];
  return [{ name: `${test.output ?? test.stage}: ${name}`, value: text(int8.value), note: parts.join('; ') }];
}

interface Span {
  readonly low: number;
  readonly high: number;
}

interface Measure {
  readonly value: number;
  readonly interval: Span;
}

interface Measures {
  readonly name: string;
  readonly text: (value: number) => string;
  readonly int8: Measure | null;
  readonly litert: Measure | null;
  readonly loss: { readonly value: string; readonly note: string } | null;
}

function measuresOf(test: Test): Measures {
  if ('accuracy' in test) {
    const { int8, int8_litert: litert } = test.accuracy;
    const read = (measured: typeof int8): Measure | null =>
      measured === null ? null : { value: measured.top1, interval: measured.interval };
    const loss = shareLoss(int8?.drop ?? null, test.lossInterval);
    return { name: accuracyName(test), text: percent, int8: read(int8), litert: read(litert), loss };
  }
  if ('score' in test) {
    const { int8, int8_litert: litert } = test.score;
    const loss = shareLoss(int8?.drop ?? null, test.lossInterval);
    return { name: test.metrics.scoreName, text: percent, int8, litert, loss };
  }
  const { int8, int8_litert: litert } = test.error;
  const read = (measured: typeof int8): Measure | null =>
    measured === null ? null : { value: measured.mean, interval: measured.interval };
  const name = test.task === 'regress' ? 'mean absolute error' : 'mean squared error';
  const rise = int8?.rise ?? null;
  const span = test.lossInterval;
  const loss =
    rise === null
      ? null
      : {
          value: change(rise),
          note: span === null ? 'error' : `error; 95 %: ${change(span.low)} to ${change(span.high)}`,
        };
  return { name, text: significant, int8: read(int8), litert: read(litert), loss };
}

/** Written as a change, so a loss is negative. */
function shareLoss(drop: number | null, interval: Span | null): Measures['loss'] {
  if (drop === null) return null;
  const note = interval === null ? '' : `95\u00a0%, paired: ${points(-interval.high)} to\u00a0${points(-interval.low)}`;
  return { value: points(-drop), note };
}

/** What the model takes on a device. */
function deviceFacts(report: Report): Fact[] {
  const conversion = conversionOf(report)?.metrics;
  const facts: Fact[] = [];
  const size = report.model?.bytes ?? conversion?.bytes;
  if (size !== undefined) {
    const note = conversion === undefined ? '' : sizeNote(conversion.floatBytes / size);
    facts.push({ name: 'Flash for the model', value: bytes(size), note });
  }
  const memory = conversion?.memory;
  if (memory === undefined) return facts;
  facts.push({
    name: 'RAM for tensors',
    value: bytes(memory.arena),
    note: 'the arena of TFLM must be larger than that',
  });
  const largest = (memory.buffers ?? []).reduce<{ name: string; bytes: number } | null>(
    (most, buffer) => (buffer.bytes > (most?.bytes ?? 0) ? buffer : most),
    null,
  );
  if (largest !== null) facts.push({ name: 'Largest tensor', value: bytes(largest.bytes), note: largest.name });
  facts.push({ name: 'Work per inference', value: countText(memory.macs), note: 'multiply-accumulates (MACs)' });
  return facts;
}

/** The layer whose quantizers put most of the noise into the output. */
function layerFacts({ output, metrics, diagnosis }: Test): Fact[] {
  const shares = [...noiseShares(metrics.layers)];
  const [first] = shares.toSorted(([, a], [, b]) => b - a);
  if (first === undefined || shares.length < 2) return [];
  const [name, share] = first;
  const part = diagnosis === null ? '' : ` (${fixed(100 * (1 - diagnosis.kernelShare), 0)}\u202f% of all noise)`;
  const note = `of the rounding noise at the output${part} comes from ${name}`;
  return [
    {
      name: output === undefined ? 'Noisiest layer' : `${output}: noisiest layer`,
      value: `${fixed(100 * share, 0)}\u202f%`,
      note,
    },
  ];
}

/** That of the model whose numbers stand at the top, else the last. */
function conversionOf({ conversions, model, stages }: Report): Report['conversions'][number] | undefined {
  const maker = stages.find(({ outputs }) =>
    Object.values(outputs).some(({ digest }) => model !== null && digest === `sha256:${model.sha256}`),
  );
  return conversions.find(({ stage }) => stage === maker?.name) ?? conversions.at(-1);
}

/** @param times bytes of the float parameters over those of the file */
function sizeNote(times: number): string {
  return times >= 1 ? `${fixed(times, 2)}\u00d7 smaller than float` : `${fixed(1 / times, 2)}\u00d7 as large as float`;
}

/** `12.5 million`, `412 928`: three digits are enough from a million on. */
function countText(count: number): string {
  return count < 1e6 ? integer(count) : `${Number((count / 1e6).toPrecision(3))} million`;
}
