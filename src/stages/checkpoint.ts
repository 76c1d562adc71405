import { readFile } from 'node:fs/promises';
import { userError } from '../core/diagnostic.ts';
import type { FloatTensor, Shape } from '../core/tensor.ts';
import { hasDType, sameShape } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { readSafetensors, writeSafetensors } from '../files/safetensors.ts';
import type { ModelSpec } from '../models/layers.ts';
import type { ObservedSide } from '../passes/index.ts';

/** A trained network in one file: weights in our layout, and in the metadata what network they belong to. */
export interface ModelFile {
  readonly level: 'float' | 'qat';
  readonly spec: ModelSpec;
  /** By variable name; for level qat also the trained ranges and the step counter. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Where the ranges of level qat were observed; after_activation is not written. */
  readonly observe?: ObservedSide;
}

/** A file without a task is of a time when there was one only. */
interface WrittenFile extends Omit<ModelFile, 'spec' | 'tensors'> {
  readonly spec: Omit<ModelSpec, 'task'> & Partial<Pick<ModelSpec, 'task'>>;
}

const metadataKey = 'qpipe';

export function encodeModelFile({ level, spec, tensors, observe }: ModelFile): Uint8Array {
  const described = { level, spec, ...(observe === 'before_activation' ? { observe } : {}) };
  return writeSafetensors({ tensors, metadata: new Map([[metadataKey, JSON.stringify(described)]]) });
}

/** @throws UserError when the file is damaged or was not written by a training stage */
export async function readModelFile(path: string): Promise<Required<ModelFile>> {
  const { tensors, metadata } = readSafetensors(await readFile(path), path);
  const text = metadata.get(metadataKey);
  if (text === undefined) {
    throw userError(path, 'not-a-model', 'the file has no qpipe metadata', 'give the checkpoint of a training stage');
  }
  // Our own writer made the text, and the digest of the file was checked.
  const { level, spec, observe = 'after_activation' } = JSON.parse(text) as WrittenFile;
  return { level, spec: { ...spec, task: spec.task ?? 'classify' }, tensors, observe };
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
