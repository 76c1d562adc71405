import { seconds } from '../format.ts';
import { nextStep } from '../next-step.ts';
import { markup, withCode } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import { headlineCell, headlineDiagnosis } from '../report.ts';
import type { Report } from '../report.ts';
import { factsList } from './facts.ts';
import { gateColumns } from './gates.ts';
import { lintList } from './lint-list.ts';
import { trainedText } from './trained.ts';

const tones: Readonly<Record<Report['run']['status'], { tone: string; word: string }>> = {
  pass: { tone: 'good', word: '\u2713 Pass' },
  fail: { tone: 'bad', word: '\u2717 Fail' },
  error: { tone: 'bad', word: '\u2717 Error' },
  interrupted: { tone: 'plain', word: 'Interrupted' },
  running: { tone: 'plain', word: 'Unfinished' },
};

export function headSection(report: Report): Markup {
  const { run } = report;
  const { tone, word } = tones[run.status];
  const cell = headlineCell(report);
  return markup`<header><h1>${run.pipeline}</h1>
<p class="byline"><span>${run.startedAt.replace('T', ' ').replace(/\.\d+Z$/, 'Z')}</span><span>${seconds(run.seconds)}</span><span class="mono">${run.id}</span></p></header>
<div class="verdict ${tone}"><p><strong>${word}</strong>${report.sentence}</p>${diagnosisLine(report)}
<p class="next"><strong>Next</strong>${withCode(nextStep(report))}</p></div>
${trainedText(report)}
${cell === undefined ? null : markup`<p class="of">The numbers below are those of <strong>${cell}</strong>.</p>`}
${factsList(report)}
${report.gates.length === 0 || cell !== undefined ? null : table(report.gates, gateColumns(report), { sorting: 'fixed', width: 'full' })}
${report.lints.length === 0 ? null : lintList(report)}`;
}

export function diagnosisLine(report: Report): Markup | null {
  const sentence = headlineDiagnosis(report);
  return sentence === undefined ? null : markup`<p class="diagnosis">${withCode(sentence)}</p>`;
}
