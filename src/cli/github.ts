/**
 * What a step of GitHub Actions prints: https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
 * A line that begins with `::` is a command to the runner, so nothing that others wrote may begin one.
 */
import { resolve, relative } from 'node:path';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { RunEvent } from '../runner/event.ts';
import type { Progress } from './progress.ts';
import { plainLine } from './progress.ts';

export type Annotation = 'error' | 'warning' | 'notice';

export interface AnnotationPlace {
  /** Relative to the checked-out repository. */
  readonly file?: string | undefined;
  readonly line?: number;
  readonly col?: number;
  readonly endColumn?: number;
  readonly title?: string;
}

/** `::error file=a.yaml,line=3::message`: shown in the log, in the summary and beside the line in a pull request. */
export function annotation(kind: Annotation, place: AnnotationPlace, message: string): string {
  const properties = Object.entries(place).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${escapedProperty(String(value))}`],
  );
  return `::${kind}${properties.length === 0 ? '' : ` ${properties.join(',')}`}::${escapedData(message)}`;
}

const escapedData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const escapedProperty = (text: string): string => escapedData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** @param workspace folder of the repository, which the runner names in `GITHUB_WORKSPACE` */
export function diagnosticAnnotation(kind: Annotation, diagnostic: Diagnostic, workspace: string): string {
  const { code, place, message, hint } = diagnostic;
  const text = [message, ...(hint === undefined ? [] : [`hint: ${hint}`])].join('\n');
  const { file, line, column = 1, source } = place;
  // A place without a line is a stage or the command line, and no file that has been checked out.
  if (line === undefined) return annotation(kind, { title: code }, `${file}: ${text}`);
  const end = source === undefined ? {} : { endColumn: column + Math.max(1, source.length) };
  return annotation(kind, { file: relative(workspace, resolve(file)), line, col: column, ...end, title: code }, text);
}

/** A line of a log that the runner takes for no command. */
export const inert = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^(\s*):(?=:)/, '$1: ').replaceAll('##[', '## ['))
    .join('\n');

/**
 * A group of lines for each stage that runs, which the log folds, and its result behind it. Groups cannot lie in each
 * other: of several stages at once the first is shown as it goes on, the lines of the others are kept until it has ended.
 */
export function githubProgress(write: (line: string) => void): Progress {
  /** Lines of the stages that run and are not the open one, in the order in which they began. */
  const kept = new Map<string, string[]>();
  let open: string | null = null;
  const begin = (stage: string, lines: readonly string[]): void => {
    open = stage;
    write(`::group::${escapedData(stage)}`);
    for (const line of lines) write(inert(line));
  };
  const close = (): void => {
    if (open !== null) write('::endgroup::');
    open = null;
  };
  const end = (stage: string, line: string): void => {
    const before = open;
    if (kept.has(stage)) {
      // A group in between, whole at once, which leaves the open one in two parts.
      close();
      begin(stage, kept.get(stage) ?? []);
      kept.delete(stage);
    }
    if (open === stage) close();
    write(inert(line));
    if (open === null && before !== null && before !== stage) begin(before, []);
    const [next] = kept;
    if (open !== null || next === undefined) return;
    kept.delete(next[0]);
    begin(...next);
  };
  return {
    show(event) {
      const line = plainLine(event);
      if (line === null) return;
      const stage = 'stage' in event ? event.stage : null;
      if (stage !== null && isEnd(event)) return end(stage, line);
      if (stage !== null && stage !== open && open !== null) {
        kept.set(stage, [...(kept.get(stage) ?? []), line]);
      } else if (stage !== null && open === null) begin(stage, [line]);
      else write(inert(line));
    },
    finish() {
      close();
      return Promise.resolve();
    },
  };
}

const isEnd = ({ kind }: RunEvent): boolean =>
  kind === 'stage-finished' || kind === 'stage-failed' || kind === 'stage-skipped';
