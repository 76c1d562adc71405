/** Prints a result. */
export const out = (text: string): void => void process.stdout.write(`${text}\n`);
/** Prints what is no result: warnings, errors, what was written. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** Width of the terminal that messages are written to; 80 if it is not a terminal or its width is unknown. */
export const screenColumns = (): number => (process.stderr.columns > 0 ? process.stderr.columns : 80);

/** Width of the terminal that results are written to; a file or a pipe has none. */
/** Prints a result. */
export const outputColumns = (): number => (process.stdout.isTTY ? process.stdout.columns : Infinity);

export async function terminalColors() {
  const { default: picocolors } = await import('picocolors');
  // Without a terminal `isTTY` is undefined, which the package would take for its own default.
  return picocolors.createColors(process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? true : false);
}
