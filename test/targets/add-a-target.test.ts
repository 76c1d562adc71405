/** The target that docs/add-a-target.md writes says what the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { checkTarget } from '../../src/targets/check.ts';
import type { TargetRow } from '../../src/targets/define.ts';
import { reasonText } from '../../src/targets/file.ts';
import { integerCases } from '../oracle/integer-cases.ts';

const root = join(import.meta.dirname, '../..');
const code = /```ts\n([^]*?)```/.exec(readFileSync(join(root, 'docs/add-a-target.md'), 'utf8'))?.[1] ?? '';
const folder = mkdtempSync(join(tmpdir(), 'qpipe-target-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the target of docs/add-a-target.md', () => {
  it('takes depthwise convolutions of a multiple of 4 channels, and leaves others to TensorFlow Lite Micro', async () => {
    const file = join(folder, 'esp32s3.ts');
    writeFileSync(file, code.replaceAll("from './", `from '${root}/src/targets/`));
    const { esp32s3 } = (await import(file)) as { readonly esp32s3: TargetRow };
    const said = integerCases('depthwise_conv_2d', createRandom(1, 'esp32s3'), 4).flatMap(({ graph, dtype }) => {
      const channels = graph.values.get(graph.outputs[0] ?? '')?.type.shape.at(-1) ?? 0;
      const findings = checkTarget(esp32s3, graph, true);
      return dtype === 'int8' ? [{ channels, texts: findings.map((finding) => reasonText(esp32s3, finding)) }] : [];
    });
    expect(said.some(({ channels }) => channels % 4 === 0)).toBe(true);
    for (const { channels, texts } of said) {
      expect(texts).toEqual(
        channels % 4 === 0
          ? []
          : [
              `has ${channels} channels; the ESP32-S3 takes a multiple of 4, so TensorFlow Lite Micro runs it on the processor`,
            ],
      );
    }
  });
});
