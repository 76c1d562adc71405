import { loadMatrix } from '../config/load.ts';
import { choiceTexts, varies } from '../config/matrix.ts';

/**
 * What to say where a command shows one pipeline and the file is several: which cell of its matrix that is. Null for a
 * file that is one.
 */
export async function matrixNote(pipeline: string, set: readonly string[], data?: string): Promise<string | null> {
  const { axes, cells } = await loadMatrix(pipeline, set, data);
  const [first] = cells;
  if (first === undefined || cells.length === 1) return null;
  const choices = choiceTexts(axes, first.choices, varies);
  const others = axes.filter(varies).map(({ setting, values }) => `\`--set ${setting}=${JSON.stringify(values[1])}\``);
  return `this is the first of ${cells.length} cells of the matrix: ${choices.join(', ')}; ${others.join(' and ')} choose others`;
}
