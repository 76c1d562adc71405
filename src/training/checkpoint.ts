import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { hasDType, sameShape } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import type { Contract, Model } from '../graph/contract.ts';
import { readGraph, serializeGraph } from '../graph/serialize.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';

/** A trained network in one file: its graph and its contract, with all tensors in our layout. */
export type ModelFile = Model & {
  /** By name: of level qat also the trained ranges and the step counter. */
  readonly tensors: ReadonlyMap<string, Tensor>;
} & ({ readonly level: 'float' } | { readonly level: 'qat'; readonly quantization: QuantizationForm });

const metadataKey = 'qpipe';
/** Names the digest of the description: safetensors has none. */
const digestKey = 'qpipe.sha256';

interface Description {
  readonly level: ModelFile['level'];
  readonly quantization?: QuantizationForm;
  readonly contract: Contract;
  readonly graph: unknown;
}

/** Parameters of the graph are written with the values that `tensors` has for them. */
export function encodeModelFile({ graph, contract, tensors: trained, ...described }: ModelFile): Uint8Array {
  const { json, tensors } = serializeGraph(graph);
  const text = JSON.stringify({ ...described, contract, graph: json } satisfies Description);
  return writeSafetensors({
    tensors: new Map([...tensors, ...trained]),
    metadata: new Map([
      [metadataKey, text],
      [digestKey, digestOf(text)],
    ]),
  });
}

/** @throws UserError when the file is damaged or was not written by a training stage */
export async function readModelFile(path: string): Promise<ModelFile> {
  return decodeModelFile(await readFile(path), path);
}

/** @param path named in errors */
export function decodeModelFile(bytes: Uint8Array, path: string): ModelFile {
  const { tensors, metadata } = readSafetensors(bytes, path);
  const text = metadata.get(metadataKey);
  if (text === undefined) {
    throw userError(path, 'not-a-model', 'the file has no qpipe metadata', 'give the checkpoint of a training stage');
  }
  if (metadata.get(digestKey) !== digestOf(text)) {
    throw userError(path, 'damaged-model', 'the description of its network is not as it was written', 'train it again');
  }
  // Our own writer made the text, as its digest shows.
  const { graph: json, ...described } = JSON.parse(text) as Description;
  const graph = readGraph(json, tensors, path);
  return { ...described, graph, tensors } as ModelFile;
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @throws Error `internal:` for a float model, which has no ranges */
export async function readQatModel(path: string): Promise<Extract<ModelFile, { level: 'qat' }>> {
  const file = await readModelFile(path);
  return file.level === 'qat' ? file : internal(`${path} is of level ${file.level}, not qat`);
}

/** Looks variables up by name and checks their shape. */
export function tensorSource(tensors: ReadonlyMap<string, Tensor>, path: string) {
  return (name: string, shape?: Shape): FloatTensor => {
    const found = tensors.get(name);
    if (found === undefined || !hasDType(found, 'float32')) {
      throw userError(
        path,
        'missing-tensor',
        `the checkpoint has no float32 tensor "${name}"`,
        'train the model again',
      );
    }
    if (shape !== undefined && !sameShape(found.shape, shape)) {
      throw userError(
        path,
        'wrong-shape',
        `tensor "${name}" is [${found.shape.join(',')}]; the network expects [${shape.join(',')}]`,
        'train the model again with this network',
      );
    }
    return found;
  };
}
