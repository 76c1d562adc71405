import { didYouMean } from '../config/suggest.ts';
import { UserError } from '../core/diagnostic.ts';
import type { Plan } from '../runner/plan.ts';
import { isNamed } from '../runner/select.ts';

/**
 * @param options names of stages by the option that names them
 * @throws UserError with every name that is not that of a stage of the plan
 */
export function checkNames(options: Readonly<Record<string, readonly string[] | undefined>>, { stages }: Plan): void {
  // As the pipeline calls them, without the values that cells of a matrix add.
  const names = [...new Set(stages.map(({ name }) => name.replace(/@.*/, '')))];
  const diagnostics = Object.entries(options).flatMap(([option, given = []]) =>
    given
      .filter((name) => !stages.some((stage) => isNamed(stage.name, [name])))
      .map((name) => ({
        code: 'unknown-stage',
        place: { file: 'command line' },
        message: `\`--${option}\` names \`${name}\`, but the pipeline has no such stage`,
        hint: didYouMean(name, names),
      })),
  );
  if (diagnostics.length > 0) throw new UserError(diagnostics, 64);
}
