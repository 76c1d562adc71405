import { readFile } from 'node:fs/promises';
import { internal } from '../core/assert.ts';
import { userError } from '../core/diagnostic.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { hasDType, sameShape } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { QuantizationForm } from '../evaluation/graphs.ts';

/** A trained network in one file: weights in our layout, and in the metadata what network they belong to. */
export type ModelFile = {
  readonly spec: ModelSpec;
  /** By variable name; for level qat also the trained ranges and the step counter. */
  readonly tensors: ReadonlyMap<string, Tensor>;
} & ({ readonly level: 'float' } | { readonly level: 'qat'; readonly quantization: QuantizationForm });

const metadataKey = 'qpipe';

export function encodeModelFile({ tensors, ...described }: ModelFile): Uint8Array {
  return writeSafetensors({ tensors, metadata: new Map([[metadataKey, JSON.stringify(described)]]) });
}

/** @throws UserError when the file is damaged or was not written by a training stage */
export async function readModelFile(path: string): Promise<ModelFile> {
  const { tensors, metadata } = readSafetensors(await readFile(path), path);
  const text = metadata.get(metadataKey);
  if (text === undefined) {
    throw userError(path, 'not-a-model', 'the file has no qpipe metadata', 'give the checkpoint of a training stage');
  }
  // Our own writer made the text, and the digest of the file was checked.
  return { ...(JSON.parse(text) as Omit<ModelFile, 'tensors'>), tensors } as ModelFile;
}

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
