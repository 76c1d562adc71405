/** Whether the targets of a pipeline take its networks, before anything is trained. */
import { present } from '../core/assert.ts';
import type { Diagnostic, Place } from '../core/diagnostic.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';
import type { Model } from '../graph/contract.ts';
import type { Graph } from '../graph/graph.ts';
import type { EdgeTypes } from '../passes/index.ts';
import { calibratedForm } from '../stages/ptq.ts';
import { quantizationOf } from '../stages/qat.ts';
import type { StageConfig } from '../stages/index.ts';
import { formOf } from '../stages/training.ts';
import type { Finding } from '../targets/check.ts';
import { checkTarget } from '../targets/check.ts';
import { budgetDiagnostics, reasonText } from '../targets/file.ts';
import { memoryOf, weightBytes } from '../targets/memory.ts';
import { writeTflite } from '../tflite/write.ts';
import { encodeMetadata, metadataName, modelMetadata } from '../models/metadata.ts';
import { purposesOf } from '../graph/contract.ts';
import { foreignEdges, orElse } from './checks/targets.ts';
import { targets } from '../targets/index.ts';
import type { TargetRow } from '../targets/define.ts';
import { untrainedIntegers } from './integer-graph.ts';
import type { LoadedPipeline } from './load.ts';
import type { ResolvedPipeline, ResolvedStage } from './resolve.ts';
import { parentOf } from './resolve.ts';
import type { Locate, Path } from './source.ts';

/** A network on its way to a file. */
export interface Conversion {
  readonly convert: ResolvedStage;
  /** The stage that quantizes. */
  readonly quantize: ResolvedStage;
  readonly model: Model;
  /** Null where `layers` do not say what the network is. */
  readonly layers: readonly string[] | null;
  readonly graph: Graph;
}

export interface Found {
  /** What keeps the model from running on a target. */
  readonly problems: readonly Diagnostic[];
  /** What it runs elsewhere than on the target itself. */
  readonly warnings: readonly Diagnostic[];
}

/**
 * The networks that the pipeline converts.
 *
 * @param modelOf the network at the head of a chain, by the name of its first stage
 */
export function conversions(
  { stages, model }: ResolvedPipeline,
  modelOf: (first: string) => Model | null,
): readonly Conversion[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  return stages.flatMap((convert): readonly Conversion[] => {
    if (convert.config.uses !== 'convert') return [];
    const chain = [convert];
    for (let from = parentOf(convert.config); from !== null; from = parentOf(present(chain.at(-1), 'a stage').config)) {
      chain.push(present(byName.get(from), `stage ${from}`));
    }
    const first = present(chain.at(-1), 'a first stage');
    const quantize = chain.find(({ config }) => formOfStage(config) !== null);
    const network = modelOf(first.name);
    if (quantize === undefined || network === null) return [];
    const { input, output } = convert.config;
    const form = present(formOfStage(quantize.config), 'how a stage quantizes');
    const isListed = first.config.uses !== 'import' && model !== undefined && 'layers' in model;
    const layers = isListed ? model.layers.map(({ name }) => name) : null;
    const graph = untrainedIntegers(network, form, { input, output } satisfies EdgeTypes);
    return [{ convert, quantize, model: network, layers, graph }];
  });
}

/** Null for a stage that does not quantize. */
function formOfStage(config: StageConfig): QuantizationForm | null {
  if (config.uses === 'ptq') return calibratedForm(config);
  return config.uses === 'qat' ? formOf(quantizationOf(config)) : null;
}

/** What a converted model takes, which is known before it is trained. */
export interface ModelSize {
  /** The stage that converts it. */
  readonly stage: string;
  /** Bytes of the tensor arena of TensorFlow Lite Micro: what its allocator reports as head. */
  readonly arena: number;
  /** Bytes of weights and biases. */
  readonly weights: number;
  /** Bytes of the .tflite file. */
  readonly file: number;
  /** Multiplications of convolutions and dense layers for one example. */
  readonly macs: number;
}

export function modelSize({ convert, model, graph }: Conversion): ModelSize {
  const hasMetadata = convert.config.uses === 'convert' && convert.config.metadata;
  const purposes = purposesOf(model.contract);
  const entries = hasMetadata ? [[metadataName, encodeMetadata(modelMetadata(...purposes))] as const] : [];
  const names = purposes.flatMap(({ output }) => output ?? []);
  const file = writeTflite(graph, new Map(entries), names).length;
  return { stage: convert.name, ...memoryOf(graph), weights: weightBytes(graph), file };
}

/** Models that are larger than the budgets of their targets. */
export function budgetProblems({ pipeline, locate }: LoadedPipeline, found: readonly Conversion[]): Diagnostic[] {
  const choices = pipeline.target ?? [];
  if (choices.every(({ ram, flash }) => ram === null && flash === null)) return [];
  return found
    .map(modelSize)
    .flatMap((size) =>
      choices.flatMap((choice) =>
        budgetDiagnostics(choice, size, (key) => locate(['target', choice.name, key], 'value')),
      ),
    );
}

/** What the targets of the pipeline do not take. */
export function targetDiagnostics({ pipeline, locate }: LoadedPipeline, found: readonly Conversion[]): Found {
  const problems = new Map<string, Diagnostic>();
  const warnings = new Map<string, Diagnostic>();
  for (const choice of pipeline.target ?? []) {
    for (const conversion of found) {
      for (const { diagnostic, isProblem } of diagnosticsOf(targets[choice.name], conversion, locate)) {
        const { line, column } = diagnostic.place;
        (isProblem ? problems : warnings).set(`${line ?? ''}:${column ?? ''} ${diagnostic.message}`, diagnostic);
      }
    }
  }
  return { problems: [...problems.values()], warnings: [...warnings.values()] };
}

interface Judged {
  readonly diagnostic: Diagnostic;
  readonly isProblem: boolean;
}

function diagnosticsOf(row: TargetRow, conversion: Conversion, locate: Locate): readonly Judged[] {
  const { convert, graph } = conversion;
  // Settings that do not fit were reported when the file was read.
  return checkTarget(row, graph, false).flatMap((finding) => {
    const converts = finding.node.op === 'quantize' || finding.node.op === 'dequantize';
    const isSaid = converts && foreignEdges(row, convert.config).length > 0;
    return isSaid ? [] : [opDiagnostic(row, conversion, finding, locate)];
  });
}

function opDiagnostic(
  row: TargetRow,
  { layers, convert, quantize }: Conversion,
  finding: Finding,
  locate: Locate,
): Judged {
  const { node, refusal, instead } = finding;
  const [layer = node.name] = node.name.split('/');
  const index = layers?.indexOf(layer) ?? -1;
  const settings: { readonly [S in NonNullable<typeof refusal.setting>]: Path } = {
    scheme: ['stages', quantize.name, 'scheme'],
    dense_weights: ['stages', quantize.name, 'dense_weights'],
    edges: ['stages', convert.name, 'input'],
  };
  const place: Place =
    refusal.setting !== undefined
      ? locate(settings[refusal.setting], 'value')
      : index >= 0
        ? locate(['model', 'layers', String(index)], 'value')
        : locate(['target'], 'value');
  const subject = layers === null ? `"${node.name}" of the network` : `layer \`${layer}\``;
  return {
    isProblem: instead === null,
    diagnostic: {
      code: instead === null ? 'target-refuses' : 'target-leaves',
      place,
      layer,
      message: `${subject} ${reasonText(row, finding)}`,
      hint: `${refusal.remedy}${orElse(row)}`,
    },
  };
}
