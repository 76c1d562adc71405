import { wrap } from './screen-text.ts';
import { sourceLine, visible } from './source-line.ts';

/** A user's mistake as data: where, what was found, what was expected, what to do. */
export interface Diagnostic {
  /** Stable machine-readable name, kebab-case, for example `unknown-key`. */
  readonly code: string;
  /** File (or `command line`) with an optional 1-based position and the source line for the caret. */
  readonly place: Place;
  /** One sentence: what was found and what was expected. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  /** The layer that a warning is about; left out where it is about a setting. */
  readonly layer?: string;
}

export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** The text of the line and how many columns the caret run covers. */
  readonly source?: { readonly text: string; readonly length: number };
}

/**
 * The process exit code that a user's mistake leads to: 64 for a bad pipeline or bad arguments,
 * 1 for everything that fails later (a corrupt file, a full disk).
 */
export type FailureExitCode = 1 | 64;

/** Carries diagnostics to the command line, which prints them without a stack trace. */
export class UserError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  readonly exitCode: FailureExitCode;

  constructor(diagnostics: readonly Diagnostic[], exitCode: FailureExitCode = 1) {
    super(diagnostics.map((diagnostic) => formatDiagnostic(diagnostic)).join('\n'));
    this.name = 'UserError';
    this.diagnostics = diagnostics;
    this.exitCode = exitCode;
  }
}

/** One mistake in one file, the common case. */
export function userError(
  file: string,
  code: string,
  message: string,
  hint?: string,
  exitCode: FailureExitCode = 1,
): UserError {
  return new UserError([{ code, place: { file }, message, ...(hint === undefined ? {} : { hint }) }], exitCode);
}

/** `file:line:column error code: message`, then the line with a caret, then the hint. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  return formatForScreen(diagnostic, 'error', Infinity);
}

/** The same for what is allowed but probably not intended. */
export function formatWarning(diagnostic: Diagnostic): string {
  return formatForScreen(diagnostic, 'warning', Infinity);
}

const gutterWidth = 4;

/**
 * @param columns of the screen; the line of the file is cut around the caret to fit
 * @param sentences columns at which message and hint are broken between words; Infinity leaves them whole, for programs
 * that search them
 */
export function formatForScreen(
  diagnostic: Diagnostic,
  severity: 'error' | 'warning',
  columns: number,
  sentences = Infinity,
): string {
  const { code, place, message, hint } = diagnostic;
  const position = place.line === undefined ? '' : `:${place.line}:${place.column ?? 1}`;
  const lines = hanging('', `${place.file}${position} ${severity} ${code}: ${message}`, 2, sentences);
  if (place.source !== undefined && place.line !== undefined) {
    const gutter = String(place.line).padStart(columns < narrow ? 0 : gutterWidth);
    const { text, length } = place.source;
    const room = Math.max(20, columns - gutter.length - ' | '.length);
    const { line, caret } = sourceLine(text, (place.column ?? 1) - 1, Math.max(1, length), room);
    lines.push(`${gutter} | ${line}`, `${' '.repeat(gutter.length)} | ${caret}`);
  }
  if (hint !== undefined) lines.push(...hanging('  hint: ', hint, 8, sentences));
  return lines.map(visible).join('\n');
}

/** A screen on which the margin before a line of a file is as small as its number. */
const narrow = 60;

/** A text behind `lead`, whose further lines are indented. */
function hanging(lead: string, text: string, indent: number, columns: number): string[] {
  if (columns === Infinity) return [`${lead}${text}`];
  const lines = text.split('\n').flatMap((line) => wrap(line, columns - lead.length, columns - indent));
  return lines.map((line, index) => (index === 0 ? `${lead}${line}` : `${' '.repeat(indent)}${line}`));
}
