import { counted } from '../../core/words.ts';
import { runtimeTitles } from '../../measurements/runtime-titles.ts';
import { capitalized, fixed, integer, orNone, percent, points, probability } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Column } from '../page.ts';
import type { ClassifyResult, Measured } from '../report.ts';
import { accuracyName, fileLead } from '../titles.ts';
import { modelsTable } from './models.ts';
import type { MeasuredRow } from './models.ts';

export function accuracySection(test: ClassifyResult): Markup {
  return markup`<p class="lead">${test.task === 'classify' ? 'Top-1 accuracy: the share of test examples whose class is right' : 'Accuracy: the share of test examples whose answer is right'}. ${fileLead} Fake-quant simulates its rounding in float. Intervals are 95 % (Wilson).</p>
${modelsTable(test.accuracy, test.metrics.seconds, accuracyColumns(accuracyName(test)), markup`${pairedText(test)}${stepsText(test)}`)}`;
}

function pairedText({ metrics: { flips }, mcnemarP }: ClassifyResult): Markup | null {
  if (flips === null || mcnemarP === null) return null;
  const { rightToWrong, wrongToRight } = flips;
  if (rightToWrong + wrongToRight === 0) {
    return markup`<p>float and int8 are right on the same examples.</p>`;
  }
  return markup`<p>With the arithmetic of a microcontroller, int8 is wrong on ${counted(rightToWrong, 'example')} that float has right, and right on ${integer(wrongToRight)} that float has wrong. If both models were equally good, a split at least this uneven would occur with a probability of ${probability(mcnemarP)} (exact McNemar test), so the difference ${
    mcnemarP < 0.05 ? 'is more than chance' : 'may be chance'
  }.</p>`;
}

/** What lies between the rows: the two parts of the loss. */
function stepsText(test: ClassifyResult): Markup | null {
  const { diagnosis, accuracy } = test;
  const { training = null, quantization } = diagnosis?.costs ?? {};
  if (training === null || quantization === undefined || accuracy.qat_float === null) return null;
  return markup`<p>From float to int8 there are two steps. First the weights change, by retraining (<code>qat</code>) or preparation (<code>ptq</code>): from \u201cfloat\u201d to \u201c${runtimeTitles.qat_float}\u201d, ${accuracyName(test)} changes by ${points(-training.change)}. Then quantization makes integers of weights and values: from there to int8, it changes by ${points(-quantization.change)}.</p>`;
}

const accuracyColumns = (name: string): readonly Column<MeasuredRow<Measured>>[] => [
  { head: capitalized(name), kind: 'number', cell: ({ measured }) => percent(measured.top1) },
  {
    head: '95 % interval',
    kind: 'number',
    cell: ({ measured: { interval } }) => `${fixed(interval.low * 100, 2)} \u2013 ${percent(interval.high)}`,
  },
  { head: 'Against float', kind: 'number', cell: ({ measured }) => orNone(measured.drop, (drop) => points(-drop)) },
  { head: 'Correct', kind: 'number', cell: ({ measured }) => integer(measured.correct) },
];
