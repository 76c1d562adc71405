/** A finished model against the targets of its pipeline. */
import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import type { Graph } from '../graph/graph.ts';
import type { Finding } from './check.ts';
import { checkTarget } from './check.ts';
import type { TargetChoice } from './config.ts';
import type { TargetRow } from './define.ts';
import { targets } from './index.ts';
import { memoryOf } from './memory.ts';

export interface CheckedTarget {
  readonly name: string;
  readonly title: string;
  /** Sentences on the ops that run elsewhere. */
  readonly leaves: readonly string[];
}

/**
 * @param graph of the file
 * @param bytes of the file
 * @param path of the file, for diagnostics
 * @throws UserError for what a target does not take, and for what is larger than its budget
 */
export function checkFile(
  graph: Graph,
  bytes: number,
  choices: readonly TargetChoice[],
  path: string,
): readonly CheckedTarget[] {
  const diagnostics: Diagnostic[] = [];
  const checked = choices.map((choice): CheckedTarget => {
    const row: TargetRow = targets[choice.name];
    const findings = checkTarget(row, graph, true);
    for (const finding of findings) {
      if (finding.instead !== null) continue;
      const message = findingText(row, finding);
      diagnostics.push({ code: 'target-refuses', place: { file: path }, message, hint: finding.refusal.remedy });
    }
    diagnostics.push(
      ...budgetDiagnostics(choice, { arena: memoryOf(graph).arena, file: bytes }, () => ({ file: path })),
    );
    const leaves = findings.filter(({ instead }) => instead !== null).map((finding) => findingText(row, finding));
    return { name: row.name, title: row.title, leaves };
  });
  if (diagnostics.length > 0) throw new UserError(diagnostics);
  return checked;
}

/** `"conv/conv_2d" has strides of 4 x 4; the Ethos-U55 takes strides of at most 3`. */
export const findingText = (row: TargetRow, finding: Finding): string =>
  `"${finding.node.name}" ${reasonText(row, finding)}`;

/** The same without the subject. */
export function reasonText({ title }: TargetRow, { refusal, instead }: Finding): string {
  const elsewhere = instead === null ? '' : `, so ${instead.title} runs it on the processor`;
  return `${refusal.found}; ${title} takes ${refusal.expected}${elsewhere}`;
}

/** What is larger than the budgets of a target; both in bytes. */
export function budgetDiagnostics(
  { name, ram, flash }: TargetChoice,
  { arena, file }: { readonly arena: number; readonly file: number },
  placeOf: (key: 'ram' | 'flash') => Place,
): Diagnostic[] {
  const { title } = targets[name];
  const over = (what: string, found: number, most: number | null, key: 'ram' | 'flash', hint: string): Diagnostic[] =>
    most === null || found <= most
      ? []
      : [
          {
            code: 'over-budget',
            place: placeOf(key),
            message: `${what} takes ${kib(found)} on ${title}; \`target.${name}.${key}\` is ${kib(most)}`,
            hint,
          },
        ];
  return [
    ...over(
      'the tensor arena',
      arena,
      ram,
      'ram',
      'use smaller images, fewer filters in the first layers, or a stride',
    ),
    ...over('the model', file, flash, 'flash', 'use fewer filters or units'),
  ];
}

/** Kibibytes, as memory is counted, to a tenth. */
export const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
