/** Files of networks that the oracle made, imported and run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { internal } from '../../src/core/assert.ts';
import type { FloatTensor } from '../../src/core/tensor.ts';
import { referenceEngine } from '../../src/engine/reference.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { valueOf } from '../../src/graph/graph.ts';
import { verify } from '../../src/graph/verify.ts';
import { readModel } from '../../src/importers/read.ts';
import { removeDropout } from '../../src/passes/index.ts';
import { relativeError } from './closeness.ts';

/**
 * Imports files as they would lie in a folder.
 *
 * @param files by name; the first is the model
 */
export async function importFiles(files: ReadonlyMap<string, Uint8Array>): Promise<Graph> {
  const folder = mkdtempSync(join(tmpdir(), 'qpipe-import-'));
  try {
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    const [first = internal('a model has a file')] = files.keys();
    const { graph } = await readModel(join(folder, first), undefined);
    return verify(removeDropout(graph));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The outputs of a float graph for one example. */
export async function outputsOf(graph: Graph, inputs: readonly FloatTensor[]): Promise<readonly FloatTensor[]> {
  const session = await referenceEngine.open(graph, { replicas: 1, threads: 1 });
  const given = new Map(
    graph.inputs.map((name, index) => [name, inputs[index]?.data ?? internal('an input is missing')]),
  );
  const found = await session.run(given);
  await session.close();
  return graph.outputs.map((name) => {
    const data = found.get(name) ?? internal(`no output ${name}`);
    return { dtype: 'float32', shape: valueOf(graph, name).type.shape, data };
  });
}

/** @param wanted in the order of the graph's outputs */
export function expectEqual(
  found: readonly FloatTensor[],
  wanted: readonly FloatTensor[],
  limit: number,
  what: string,
): void {
  expect(
    found.map(({ shape }) => shape),
    what,
  ).toEqual(wanted.map(({ shape }) => shape));
  for (const [index, { data }] of wanted.entries()) {
    expect(relativeError(found[index]?.data ?? new Float32Array(), data), `${what}, output ${index}`).toBeLessThan(
      limit,
    );
  }
}
