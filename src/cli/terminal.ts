import type { Diagnostic } from '../core/diagnostic.ts';
import { formatForScreen } from '../core/diagnostic.ts';

/** Prints a result. */
export const out = (text: string): void => void process.stdout.write(`${text}\n`);
/** Prints what is no result: warnings, errors, what was written. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** Prints a mistake, or what is probably one. Sentences are broken for a terminal alone: programs search them. */
export function noteDiagnostic(diagnostic: Diagnostic, severity: 'error' | 'warning'): void {
  const columns = process.stderr.columns > 0 ? process.stderr.columns : 80;
  note(formatForScreen(diagnostic, severity, columns, process.stderr.isTTY ? columns : Infinity));
}

/** Width of the terminal that results are written to; a file or a pipe has none. */
export const outputColumns = (): number => (process.stdout.isTTY ? process.stdout.columns : Infinity);

export async function terminalColors() {
  const { default: picocolors } = await import('picocolors');
  // Without a terminal `isTTY` is undefined, which the package would take for its own default.
  return picocolors.createColors(process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? true : false);
}
