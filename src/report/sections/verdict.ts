import { seconds } from '../format.ts';
import { nextStep } from '../next-step.ts';
import { markup, withCode } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import { bestGroup } from '../matrix.ts';
import { isMeaningless } from '../faults.ts';
import { ignorantAnswer } from '../lints.ts';
import { headlineCell, headlineDiagnosis, headlineTests } from '../report.ts';
import type { Report } from '../report.ts';
import { fileLink } from './file-link.ts';
import { factsList } from './facts.ts';
import { gateColumns } from './gates.ts';
import { lintList } from './lint-list.ts';
import { trainedText } from './trained.ts';

type Passed = 'gates_met' | 'unsound' | 'finished';

/** A pass says of a model only that it keeps its limits, so they are named. */
const tones: Readonly<Record<Exclude<Report['run']['status'], 'pass'> | Passed, { tone: string; word: string }>> = {
  gates_met: { tone: 'good', word: '\u2713 Gates met' },
  unsound: { tone: 'bad', word: '! Not sound' },
  finished: { tone: 'plain', word: 'Finished' },
  fail: { tone: 'bad', word: '\u2717 Gate not met' },
  error: { tone: 'bad', word: '\u2717 Error' },
  interrupted: { tone: 'plain', word: 'Interrupted' },
  running: { tone: 'plain', word: 'Unfinished' },
};

/** Gates that are met say nothing where the data or the model is at fault. */
function passed(report: Report): Passed {
  const isUnsound = headlineTests(report).some(({ diagnosis, metrics }) => {
    const cause = diagnosis?.cause ?? null;
    return (cause !== null && isMeaningless[cause]) || ignorantAnswer(metrics) !== null;
  });
  if (isUnsound) return 'unsound';
  return report.gates.length === 0 ? 'finished' : 'gates_met';
}

export function headSection(report: Report): Markup {
  const { run } = report;
  const { tone, word } = tones[run.status === 'pass' ? passed(report) : run.status];
  const cell = headlineCell(report);
  return markup`<header><h1>${run.pipeline}</h1>
<p class="byline"><span>${run.startedAt.replace('T', ' ').replace(/\.\d+Z$/, 'Z')}</span><span>${seconds(run.seconds)}</span><span class="mono">${run.id}</span></p></header>
<div class="verdict ${tone}"><p><strong>${word}</strong>${report.sentence}</p>${diagnosisLine(report)}
<p class="next"><strong>Next</strong>${withCode(nextStep(report))}</p></div>
${trainedText(report)}
${cell === undefined ? null : markup`<p class="of">The numbers below are those of <strong>${cell}</strong>${shownText(report)}${report.model === null ? null : markup` Its file is ${fileLink(report.model.path)}.`}</p>`}
${factsList(report)}
${report.gates.length === 0 || cell !== undefined ? null : table(report.gates, gateColumns(report), { sorting: 'fixed', width: 'full' })}
${report.lints.length === 0 ? null : lintList(report)}`;
}

/** Why the best seed is not what the settings reach. */
function shownText({ matrix }: Report): string {
  const group = bestGroup(matrix);
  if (group === undefined) return '.';
  return `, the best of ${group.int8.n} seeds on these test examples. If one of these models is shipped, it is this one. Expect the mean, since the best of several seeds looks better than it is.`;
}

export function diagnosisLine(report: Report): Markup | null {
  const sentence = headlineDiagnosis(report, 'cause_and_noise');
  return sentence === undefined ? null : markup`<p class="diagnosis">${withCode(sentence)}</p>`;
}
