import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../core/assert.ts';
import type { StageContext } from '../runner/plan.ts';
import type { StageOutputRule } from './define.ts';

/** Writes one declared output of a stage. */
export async function writeOutput(context: StageContext, rule: StageOutputRule, bytes: Uint8Array): Promise<void> {
  await writeFile(join(context.directory, rule.file), bytes);
}

/** The path of an input that is not optional. */
export function inputPath(context: StageContext, name: string): string {
  return present(context.inputs[name], `input "${name}"`);
}

export async function readInput(context: StageContext, name: string): Promise<Uint8Array> {
  return readFile(inputPath(context, name));
}
