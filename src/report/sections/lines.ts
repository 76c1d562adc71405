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
import { portsSection } from './ports.ts';
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
  const hasStages = new Set(report.tests.map(({ stage }) => stage)).size > 1;
  const suffixOf = ({ stage, output }: Test): string => {
    const names = [...(hasStages ? [stage] : []), ...(output === undefined ? [] : [output])];
    return names.length === 0 ? '' : `: ${names.join(', ')}`;
  };
  return [
    section('quantizations', 'PTQ or QAT', quantizationsSection(report.quantizations)),
    ...report.tests.flatMap((test) => {
      const [result = null, ...others] = resultSections(test, suffixOf(test));
      const examples = examplesSection(test.metrics);
      return [result, section(`examples-${placeOf(test)}`, `Examples${suffixOf(test)}`, examples), ...others];
    }),
    section('training', 'Training', trainingSection(report)),
    ...report.tests.flatMap((test) => [
      section(`layers-${placeOf(test)}`, `Layers${suffixOf(test)}`, layersSection(test)),
    ]),
    ...report.tests.map((test) =>
      section(
        `agreement-${test.stage}`,
        `Agreement${suffixOf(test)}`,
        'accuracy' in test ? agreementSection(test) : null,
      ),
    ),
    section('footprint', 'Footprint', footprintSection(report)),
    section('ports', 'Input and output', portsSection(report)),
  ];
}

/** The part of an anchor that no other test has. */
const placeOf = ({ stage, output }: Test): string => (output === undefined ? stage : `${stage}-${output}`);

function resultSections(test: Test, suffix: string): (Section | null)[] {
  const withTables = (id: string, title: string, body: Markup): Section | null =>
    section(
      `${id}-${placeOf(test)}`,
      `${title}${suffix}`,
      markup`${body}
${taskTables(test.metrics, test.task === 'classify' ? 'folded' : 'open')}`,
    );
  if ('accuracy' in test) {
    return [
      withTables('accuracy', 'Accuracy', accuracySection(test)),
      section(
        `confusion-${placeOf(test)}`,
        `Classes${suffix}`,
        confusionSection(test.metrics, `confusion-${placeOf(test)}`),
      ),
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
