/** Settings of stages that a target does not take, whatever the network. */
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { EdgeType, Scheme, WeightRanges } from '../../passes/index.ts';
import type { StageConfig } from '../../stages/index.ts';
import type { TargetRow } from '../../targets/define.ts';
import { targets } from '../../targets/index.ts';
import type { PipelineConfig } from '../schema.ts';
import type { Locate } from '../source.ts';

export const orElse = ({ name }: TargetRow): string => `, or remove \`${name}\` from \`target\``;

/** What of a stage's settings targets look at. */
interface Settings {
  readonly scheme?: Scheme;
  readonly dense_weights?: WeightRanges;
}

export function targetSettingDiagnostics({ target = [], stages }: PipelineConfig, locate: Locate): Diagnostic[] {
  return target.flatMap(({ name }) =>
    Object.entries(stages).flatMap(([stage, config]): Diagnostic[] => {
      const row = targets[name];
      // A conversion follows the stage that quantizes.
      const settings: Settings = config.uses === 'qat' || config.uses === 'ptq' ? config : {};
      const problem = schemeProblem(row, stage, settings, locate) ?? weightsProblem(row, stage, settings, locate);
      return [...(problem === null ? [] : [problem]), ...edgeProblems(row, stage, config, locate)];
    }),
  );
}

function schemeProblem(row: TargetRow, stage: string, { scheme }: Settings, locate: Locate): Diagnostic | null {
  if (scheme === undefined || row.schemes.includes(scheme)) return null;
  return {
    code: 'target-scheme',
    place: locate(['stages', stage, 'scheme'], 'value'),
    message: `\`stages.${stage}.scheme\` is ${scheme}; ${row.title} takes ${row.schemes.join(' or ')}`,
    hint: `use \`scheme: ${row.schemes[0] ?? ''}\`${orElse(row)}`,
  };
}

function weightsProblem(row: TargetRow, stage: string, settings: Settings, locate: Locate): Diagnostic | null {
  const { dense_weights: weights } = settings;
  const { takes, chosen } = row.denseWeights;
  if (weights === undefined || takes.includes(weights)) return null;
  return {
    code: 'target-dense-weights',
    place: locate(['stages', stage, 'dense_weights'], 'value'),
    message: `\`stages.${stage}.dense_weights\` is ${weights}; ${row.title} takes ${takes.join(' or ')}`,
    hint: `leave it out, or set \`dense_weights: ${chosen}\`${orElse(row)}`,
  };
}

/** The edges of a conversion whose type neither the target nor the one beside it takes. */
function edgeProblems(row: TargetRow, stage: string, config: StageConfig, locate: Locate): Diagnostic[] {
  return foreignEdges(row, config).flatMap(([edge, type]): Diagnostic[] => {
    if (row.fallback?.edges.includes(type) === true) return [];
    return [
      {
        code: 'target-edge',
        place: locate(['stages', stage, edge], 'value'),
        message: `\`stages.${stage}.${edge}\` is ${type}; ${row.title} takes ${row.edges.join(' or ')}`,
        hint: `leave it out, or set \`${edge}: ${row.edges[0] ?? ''}\`${orElse(row)}`,
      },
    ];
  });
}

/** What of a conversion's input and output a target does not take. */
export function foreignEdges(
  row: TargetRow,
  config: StageConfig,
): readonly (readonly ['input' | 'output', EdgeType])[] {
  if (config.uses !== 'convert') return [];
  return (['input', 'output'] as const).flatMap((edge) =>
    row.edges.includes(config[edge]) ? [] : [[edge, config[edge]] as const],
  );
}

/** Conversions that a target leaves to the processor beside it. */
export function edgeWarnings(
  target: PipelineConfig['target'],
  stage: string,
  config: StageConfig,
  locate: Locate,
): Diagnostic[] {
  return (target ?? []).flatMap(({ name }) => {
    const row = targets[name];
    return foreignEdges(row, config).flatMap(([edge, type]): Diagnostic[] => {
      if (row.fallback?.edges.includes(type) !== true) return [];
      return [
        {
          code: 'target-leaves',
          place: locate(['stages', stage, edge], 'value'),
          message:
            `\`stages.${stage}.${edge}\` is ${type}, which ${row.title} does not convert: ${row.fallback.title} does, on ` +
            'the processor',
          hint: `leave it out, or set \`${edge}: ${row.edges[0] ?? ''}\``,
        },
      ];
    });
  });
}
