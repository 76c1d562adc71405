import { unreachable } from '../../core/assert.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Report, Test } from '../report.ts';
import { accuracySection } from './accuracy.ts';
import { agreementSection } from './agreement.ts';
import { confusionSection } from './confusion.ts';
import { examplesSection } from './examples.ts';
import { footprintSection } from './footprint.ts';
import { layersSection } from './layers.ts';
import { quantizationsSection } from './quantizations.ts';
import { errorSection } from './reconstruction.ts';
import { regressionSection } from './regression.ts';
import { scoreSection } from './score.ts';
import { section } from './section.ts';
import type { Section } from './section.ts';
import { taskTables } from './task-tables.ts';
import { trainingSection } from './training.ts';

/** What was measured along one line of stages, or several. */
export function lineSections(report: Report): (Section | null)[] {
  const suffixOf = ({ stage }: Test): string => (report.tests.length > 1 ? `: ${stage}` : '');
  return [
    section('quantizations', 'PTQ or QAT', quantizationsSection(report.quantizations)),
    ...report.tests.flatMap((test) => {
      const [result = null, ...others] = resultSections(test, suffixOf(test));
      const examples = examplesSection(test.metrics);
      return [result, section(`examples-${test.stage}`, `Examples${suffixOf(test)}`, examples), ...others];
    }),
    section('training', 'Training', trainingSection(report)),
    ...report.tests.flatMap((test) => [
      section(`layers-${test.stage}`, `Layers${suffixOf(test)}`, layersSection(test)),
    ]),
    ...report.tests.map((test) =>
      section(
        `agreement-${test.stage}`,
        `Agreement${suffixOf(test)}`,
        'accuracy' in test ? agreementSection(test) : null,
      ),
    ),
    section('footprint', 'Footprint', footprintSection(report)),
  ];
}

function resultSections(test: Test, suffix: string): (Section | null)[] {
  const withTables = (id: string, title: string, body: Markup): Section | null =>
    section(
      `${id}-${test.stage}`,
      `${title}${suffix}`,
      markup`${body}
${taskTables(test.metrics)}`,
    );
  if ('accuracy' in test) {
    return [
      withTables('accuracy', 'Accuracy', accuracySection(test)),
      section(`confusion-${test.stage}`, `Classes${suffix}`, confusionSection(test.metrics, `confusion-${test.stage}`)),
    ];
  }
  if ('score' in test) return [withTables('score', 'Score', scoreSection(test))];
  switch (test.task) {
    case 'regress':
      return [withTables('error', 'Error', regressionSection(test))];
    case 'reconstruct':
      return [withTables('error', 'Reconstruction error', errorSection(test))];
    default:
      return unreachable(test);
  }
}
