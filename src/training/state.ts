/** A training that has come as far as some step, as a value: what the rest of it depends on, and nothing else. */
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { userError } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { hasDType, sameShape, tensor } from '../core/tensor.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import type { Graph } from '../graph/graph.ts';
import { variablesOf } from '../graph/graph.ts';
import { curveStateSchema } from './curves.ts';
import { lossWatchSchema } from './loss-watch.ts';
import { sampledSchema } from './sampler.ts';

/** By name, all of a training graph. */
export type Variables = ReadonlyMap<string, Tensor>;

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const count = Type.Integer({ minimum: 0 });
const rangePoint = Type.Object({ step: count, min: Type.Number(), max: Type.Number() });
export type RangePoint = Static<typeof rangePoint>;

/** The part that is no tensor. */
const descriptionSchema = Type.Object({
  step: Type.Integer({ minimum: 0, description: 'steps that are done' }),
  qualities: Type.Array(nullable(Type.Number()), {
    description: 'of the epochs that have ended; null for one without validation, or whose quality is no number',
  }),
  best: nullable(Type.Object({ epoch: Type.Integer({ minimum: 1 }), quality: Type.Number(), isKept: Type.Boolean() })),
  curves: curveStateSchema,
  watch: lossWatchSchema,
  ranges: Type.Array(Type.Object({ quantizer: Type.String(), points: sampledSchema(rangePoint) })),
  milliseconds: Type.Object(
    { total: Type.Number({ minimum: 0 }), epoch: Type.Number({ minimum: 0 }) },
    { description: 'that were spent on these steps, and on those of the epoch that has not ended' },
  ),
  resumedAt: Type.Array(count, { description: 'the steps behind which the training was interrupted and went on' }),
});
type Description = Static<typeof descriptionSchema>;

/** The epoch with the best validation so far. */
export interface Best {
  readonly epoch: number;
  readonly quality: number;
  /** Null where only the last weights are asked for. */
  readonly variables: Variables | null;
}

/**
 * Order, augmentation and dropout are functions of seed and step, so no generator is part of it; the counters of
 * quantization, the moving statistics of batch norm and what the optimizer remembers are variables of the graph.
 */
export interface TrainState extends Omit<Description, 'best'> {
  readonly variables: Variables;
  readonly best: Best | null;
}

const metadataKey = 'qpipe-training';
const prefixes = { variables: 'variables/', best: 'best/' } as const;
const lossesName = 'losses';

/** One safetensors file. Losses are float32, as the engines give them, so it holds them as a tensor. */
export function encodeTrainState({ variables, best, watch, ...described }: TrainState): Uint8Array {
  const description: Description = {
    ...described,
    watch: { ...watch, losses: [] },
    best: best === null ? null : { epoch: best.epoch, quality: best.quality, isKept: best.variables !== null },
  };
  const named = (prefix: string, from: Variables) => [...from].map(([name, value]) => [prefix + name, value] as const);
  return writeSafetensors({
    tensors: new Map([
      ...named(prefixes.variables, variables),
      ...named(prefixes.best, best?.variables ?? new Map()),
      [lossesName, tensor('float32', [watch.losses.length], Float32Array.from(watch.losses))],
    ]),
    metadata: new Map([[metadataKey, JSON.stringify(description)]]),
  });
}

/**
 * @param graph the training graph whose variables the file must have
 * @param path named in errors
 * @throws UserError when the file is not the state of a training of this graph
 */
export function decodeTrainState(bytes: Uint8Array, graph: Graph, path: string): TrainState {
  const { tensors, metadata } = readSafetensors(bytes, path);
  const description = parse(metadata.get(metadataKey));
  const losses = tensors.get(lossesName);
  if (description === null || losses === undefined || !hasDType(losses, 'float32')) {
    throw notAState(path, 'it does not describe a training');
  }
  const variables = variablesWith(prefixes.variables, tensors, graph, path);
  const { best, watch, ...rest } = description;
  return {
    ...rest,
    watch: { ...watch, losses: [...losses.data] },
    variables,
    best: best && {
      epoch: best.epoch,
      quality: best.quality,
      variables: best.isKept ? variablesWith(prefixes.best, tensors, graph, path) : null,
    },
  };
}

function parse(text: string | undefined): Description | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return Value.Check(descriptionSchema, value) ? value : null;
  } catch {
    return null;
  }
}

function variablesWith(prefix: string, tensors: Variables, graph: Graph, path: string): Variables {
  return new Map(
    variablesOf(graph).map(({ name, type }) => {
      const value = tensors.get(prefix + name);
      if (value === undefined) throw notAState(path, `it has no variable "${name}"`);
      if (!hasDType(value, 'float32') || !sameShape(value.shape, type.shape)) {
        throw notAState(path, `the variable "${name}" is ${value.dtype} [${value.shape.join(',')}]`);
      }
      return [name, value] as const;
    }),
  );
}

const notAState = (path: string, message: string) =>
  userError(path, 'not-this-training', `the file is not the state of this training: ${message}`, 'remove the file');

/**
 * The epoch with the greatest quality, the first of several; null where none is judged.
 *
 * @param qualities of the epochs that have ended
 * @param judgedFrom the first epoch, counted from 1, that can be the best one
 */
export function bestEpoch(qualities: readonly (number | null)[], judgedFrom: number): number | null {
  let best: { readonly epoch: number; readonly quality: number } | null = null;
  for (const [index, quality] of qualities.entries()) {
    const epoch = index + 1;
    if (quality === null || epoch < judgedFrom) continue;
    if (quality > (best?.quality ?? -Infinity)) best = { epoch, quality };
  }
  return best?.epoch ?? null;
}

/** When a training ends before its last epoch. */
export interface EarlyStop {
  /** Number of judged epochs without a better validation result before training stops; null never stops early. */
  readonly patience: number | null;
  readonly judgedFrom: number;
}

/** Whether the training ends with the last of these epochs. */
export function stopsEarly(qualities: readonly (number | null)[], { patience, judgedFrom }: EarlyStop): boolean {
  const lastGain = bestEpoch(qualities, judgedFrom) ?? judgedFrom - 1;
  return patience !== null && qualities.length - lastGain >= patience;
}

/**
 * Why a training cannot go on from the state of one that was to end otherwise, in words behind "it"; null where it can.
 *
 * @param training what is asked for now, and how many steps it has in all and in an epoch
 */
export function refusalOf(
  { step, qualities, best }: TrainState,
  training: EarlyStop & { readonly keep: 'last' | 'best'; readonly totalSteps: number; readonly perEpoch: number },
): string | null {
  const { totalSteps, perEpoch, keep } = training;
  if (step > totalSteps) return `is behind the last step, ${totalSteps}`;
  const begun = Math.ceil(step / perEpoch);
  for (let epoch = 1; epoch < begun; epoch++) {
    if (stopsEarly(qualities.slice(0, epoch), training)) return `is behind epoch ${epoch}, where this training ends`;
  }
  if (keep === 'best' && best !== null && best.variables === null) return 'does not hold the best weights so far';
  return null;
}
