import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dataFileDiagnostics } from '../../src/config/data-files.ts';
import { parsePipeline } from '../../src/config/load.ts';
import { makePlan } from '../../src/config/plan.ts';
import { openResources } from '../../src/stages/resources.ts';
import { UserError } from '../../src/core/diagnostic.ts';

const folder = mkdtempSync(join(tmpdir(), 'qpipe-own-'));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ['a', 'b']) {
  mkdirSync(join(folder, name));
  for (let file = 0; file < 8; file++)
    writeFileSync(join(folder, name, `${file}.csv`), `${file},${name === 'a' ? 1 : 2}\n3,4\n`);
}

/** The codes of what is wrong with a pipeline on these recordings, and where it is. */
async function mistakes(split: string): Promise<string[]> {
  const text = `version: 1
name: own
data: { source: csv, path: ${JSON.stringify(folder)}, split: ${split} }
model: { layers: [{ kind: fully_connected, units: 2 }] }
stages:
  pretrain: { uses: float-pretrain, epochs: 1, batch: 2, optimizer: { kind: sgd, learning_rate: 0.1 } }
  qat: { uses: qat, from: pretrain, epochs: 1, batch: 2, delay: 0 }
  eval: { uses: save-eval-graph, from: qat }
  freeze: { uses: freeze, from: eval }
  convert: { uses: convert, from: freeze }
  test: { uses: test, from: convert }
`;
  try {
    const resources = openResources({
      ...{ home: folder, threads: 1, now: () => 0, cache: null, signal: null },
      identities: (_key, make) => make(),
    });
    await makePlan(parsePipeline(text, join(folder, 'p.yaml')), { resources, threads: 1 });
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.diagnostics.map(({ code, place: { line, column } }) => `${line ?? 0}:${column ?? 0} ${code}`);
  }
}

describe('a split', () => {
  const column = 'data: { source: csv, path: , split: '.length + JSON.stringify(folder).length;

  it('fits when it leaves examples for every part', async () => {
    expect(await mistakes('{ test: 0.25 }')).toEqual([]);
  });

  it('must leave some for the test stage', async () => {
    expect(await mistakes('{ test: 0 }')).toEqual([`3:${column + '{ test: '.length + 1} no-test-examples`]);
  });

  it.each(['subject', '(subject', '[a-'])('has a group that is a regular expression with one: %s', async (group) => {
    expect(await mistakes(`{ group: '${group}' }`)).toEqual([`3:${column + '{ group: '.length + 1} bad-group`]);
  });
});

describe('noise for recordings', () => {
  it('that is not there is shown where it is named', () => {
    const data = `data: { source: audio_folder, path: ${JSON.stringify(folder)}, audio: { rate: 8000, seconds: 1 }, augment: { background: { path: nowhere } } }`;
    const text = `version: 1\nname: own\n${data}\nmodel: { layers: [{ kind: fully_connected, units: 2 }] }\nstages:\n  pretrain: { uses: float-pretrain, epochs: 1, batch: 2, optimizer: { kind: sgd, learning_rate: 0.1 } }\n`;
    const column = data.indexOf('nowhere') + 1;
    expect(dataFileDiagnostics(parsePipeline(text, join(folder, 'p.yaml')))).toMatchObject([
      {
        code: 'missing-data',
        place: { line: 3, column },
        message: `there is no folder or archive ${join(folder, 'nowhere')}`,
      },
    ]);
    expect(dataFileDiagnostics(parsePipeline(text.replace('nowhere', 'a'), join(folder, 'p.yaml')))).toEqual([]);
  });
});
