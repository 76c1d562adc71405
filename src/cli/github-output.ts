/** `qpipe run --format github`: annotations beside the lines that they are about, and a summary on the workflow's page. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createColors } from 'picocolors';
import type { Diagnostic, Place } from '../core/diagnostic.ts';
import { UserError } from '../core/diagnostic.ts';
import { locateIn, parseSource } from '../config/source.ts';
import type { Report } from '../report/report.ts';
import { gateText } from '../report/gate-text.ts';
import { foundText, groupLints, lintsShown } from '../report/lints.ts';
import { machineError } from '../runner/disk-error.ts';
import { annotation, diagnosticAnnotation, githubProgress, inert } from './github.ts';
import { downloadNotes } from './progress.ts';
import type { RunOutput } from './run-output.ts';
import type { RunResult } from './run.ts';
import { summaryMarkdown } from './summary-markdown.ts';
import { summaryText } from './summary.ts';
import { note, out } from './terminal.ts';

/** @param environment the runner's: `GITHUB_WORKSPACE` and `GITHUB_STEP_SUMMARY`; without them there is no summary */
export function githubOutput(environment: Readonly<Record<string, string | undefined>>): RunOutput {
  const workspace = environment['GITHUB_WORKSPACE'] ?? process.cwd();
  const progress = githubProgress(out);
  return {
    event: (event) => progress.show(event),
    download: downloadNotes(process.stderr),
    warning: (warning) => out(diagnosticAnnotation('warning', warning, workspace)),
    finish: () => progress.finish(),
    result(result) {
      const folder = relative('.', result.folder);
      for (const line of resultAnnotations(result, workspace)) out(line);
      out(inert(summaryText(result.report, folder, Infinity, createColors(false))));
      writeSummary(environment['GITHUB_STEP_SUMMARY'], summaryMarkdown(result.report, folder));
    },
    failure(error) {
      const known = machineError(error) ?? error;
      const mistakes: readonly Pick<Diagnostic, 'code' | 'message' | 'place' | 'hint'>[] =
        known instanceof UserError
          ? known.diagnostics
          : [
              {
                code: 'internal',
                place: { file: 'qpipe' },
                message: known instanceof Error ? known.message : String(known),
              },
            ];
      for (const mistake of mistakes) out(diagnosticAnnotation('error', mistake, workspace));
    },
  };
}

/** Of gates that are not met, at their lines in the pipeline, and of what the report warns of. */
function resultAnnotations({ report, folder, record }: RunResult, workspace: string): readonly string[] {
  const text = readFileSync(join(folder, 'pipeline.yaml'), 'utf8');
  const locate = locateIn(parseSource(relative('.', record.origin.file), text));
  const gates = report.gates.flatMap((gate) => (gate.ok ? [] : [unmetGate(gate, locate)]));
  const { here, elsewhere } = lintsShown(report);
  const warnings = groupLints([...here, ...elsewhere]).filter(({ worst }) => worst.severity === 'warning');
  return [
    ...gates.map((gate) => diagnosticAnnotation('error', gate, workspace)),
    ...warnings.map((group) => annotation('warning', { title: group.worst.code }, foundText(group))),
  ];
}

function unmetGate(gate: Report['gates'][number], locate: ReturnType<typeof locateIn>): Diagnostic {
  // In a matrix the stage is called by its cell too.
  const place: Place = locate(['stages', gate.stage.replace(/@.*/, ''), 'gates', gate.name], 'key');
  return {
    code: 'gate not met',
    place,
    message: `${gate.stage}, ${gate.name}: ${gateText(gate).replaceAll('\u202f', ' ')}`,
  };
}

/** The run is not worse for a summary that cannot be written. */
function writeSummary(file: string | undefined, text: string): void {
  if (file === undefined || file === '') return;
  try {
    appendFileSync(file, text);
  } catch (error) {
    note(`the summary was not written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
