/** What a model file says of itself beside its tensors: what goes in, and what the answers mean. */
import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { Purpose } from '../graph/contract.ts';
import { isClassTask, taskNames } from '../measurements/metrics.ts';

/** Name of the entry in the file's table of metadata. */
export const metadataName = 'qpipe';

const measured = { name: Type.String(), mean: Type.Number(), deviation: Type.Number() };

const Metadata = Type.Object({
  /** Of this form. */
  version: Type.Literal(1),
  input: Type.Union([
    Type.Object({
      kind: Type.Literal('pixels'),
      /** real = scale * (pixel - mean) is what the codes of the input stand for. */
      scale: Type.Number(),
      mean: Type.Number(),
      /** By channel, (pixel - mean) / deviation: what the model itself does with raw pixels. */
      channels: Type.Optional(Type.Array(Type.Object(measured))),
    }),
    Type.Object({
      kind: Type.Literal('values'),
      /** By channel: the input's real value is (measured - mean) / deviation. */
      channels: Type.Array(Type.Object(measured)),
    }),
  ]),
  /** Settings by which an example is made of a file, in the words of a pipeline: `image`, or `audio` and `features`. */
  decoding: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  outputs: Type.Array(
    Type.Object({
      /** Of several outputs, in the words of the pipeline and of the signature. */
      name: Type.Optional(Type.String()),
      task: Type.Union(taskNames.map((name) => Type.Literal(name))),
      /** In the order of the output's elements; those of a single element are below and from its threshold on. */
      classes: Type.Optional(Type.Array(Type.String())),
      /** By element of the output, which says yes or no to each. */
      labels: Type.Optional(Type.Array(Type.String())),
      /** By element of the output: target = mean + deviation * output. */
      targets: Type.Optional(Type.Array(Type.Object(measured))),
    }),
  ),
});

export type ModelMetadata = Static<typeof Metadata>;

/** @param others what further outputs are for */
export function modelMetadata(purpose: Purpose, ...others: readonly Purpose[]): ModelMetadata {
  const { channels, normalize, pixels, decoding } = purpose;
  return {
    version: 1,
    input:
      'scale' in normalize
        ? { kind: 'pixels', ...normalize, ...(pixels && { channels: pixels.map((channel) => ({ ...channel })) }) }
        : { kind: 'values', channels: (channels ?? []).map((channel) => ({ ...channel })) },
    ...(decoding && { decoding: { ...decoding } }),
    outputs: [purpose, ...others].map(outputMetadata),
  };
}

function outputMetadata({ output, task, classes, tags, targets }: Purpose): ModelMetadata['outputs'][number] {
  return {
    ...(output !== undefined && { name: output }),
    task,
    ...((isClassTask(task) || task === 'segment') && { classes: [...classes] }),
    ...(task === 'multi_label' && { labels: [...(tags ?? [])] }),
    ...(task === 'regress' && { targets: (targets ?? []).map((target) => ({ ...target })) }),
  };
}

/** JSON in UTF-8 without spaces. */
export function encodeMetadata(metadata: ModelMetadata): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(metadata));
}

/** @returns null for bytes that are not of this form, as another version of qpipe may write them */
export function decodeMetadata(bytes: Uint8Array): ModelMetadata | null {
  try {
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return Value.Check(Metadata, found) ? found : null;
  } catch {
    return null;
  }
}
