/** Fields that name files. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import { isGivenBy } from '../../stages/define.ts';
import type { StageConfig } from '../../stages/index.ts';
import { definitionOf } from '../../stages/job.ts';
import { parentOf, stageNamed } from '../resolve.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate } from '../source.ts';
import { suggestion } from '../suggest.ts';

export function stageFileDiagnostics(
  { stages }: Pick<PipelineConfig, 'stages'>,
  name: string,
  stage: StageConfig,
  locate: Locate,
): Diagnostic[] {
  const definition = definitionOf(stage);
  const own = definition.mistakes(stage).map(({ path, ...mistake }): Diagnostic => ({
    ...mistake,
    place: locate(['stages', name, ...path], 'value'),
  }));
  const writers = before(stages, stage);
  const written = writers.flatMap((writer) => Object.values(definitionOf(writer).outputs(writer)));
  const unwritten = Object.entries(definition.inputs(stage)).flatMap(([input, rule]): Diagnostic[] => {
    // What a stage may follow gives it all that it reads by its type.
    if (!('file' in rule) || rule.optional || written.some((output) => isGivenBy(rule, output))) return [];
    const names = written.map(({ file }) => file);
    const meant = suggestion(rule.file, names);
    return [
      {
        code: 'unwritten-input',
        place: locate(['stages', name, 'inputs', input], 'value'),
        message: `\`stages.${name}.inputs.${input}\` is \`${rule.file}\`, which no stage before it writes`,
        hint:
          meant !== null
            ? `did you mean \`${meant}\`?`
            : names.length === 0
              ? 'name the stage that writes it with `from`; files of your own belong in `files`'
              : `those before it write ${names.map((file) => `\`${file}\``).join(', ')}; files of your own belong in \`files\``,
      },
    ];
  });
  return [...own, ...unwritten];
}

/** Those that the `from` of a stage leads to, the nearest first. */
function before(stages: PipelineConfig['stages'], stage: StageConfig): StageConfig[] {
  // Cycles and unknown names are reported elsewhere; here they only must end.
  const found: StageConfig[] = [];
  let current = stageNamed(stages, parentOf(stage));
  while (current !== undefined && !found.includes(current)) {
    found.push(current);
    current = stageNamed(stages, parentOf(current));
  }
  return found;
}
