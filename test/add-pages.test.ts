/** What the pages docs/add-a-*.md write compiles after their steps, and does not where a table lacks its line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mistakes, replaced } from './compiled.ts';

const read = (page: string): string => readFileSync(join(import.meta.dirname, '../docs', `${page}.md`), 'utf8');
const codeOf = (page: string): string => /```ts\n([^]*?)```/.exec(read(page))?.[1] ?? '';
/** The example that a page gives for the reference of pipelines. */
const exampleOf = (page: string, name: string): string =>
  new RegExp(`\`${name}: ('.*?')\``).exec(read(page))?.[1] ?? 'none';

/** What each page adds: all of them together, since the compiler takes as long for one as for all. */
const pages = {
  stage: {
    'src/stages/checksum.ts': codeOf('add-a-stage'),
    'src/stages/index.ts': replaced('src/stages/index.ts', [
      ['import { convert }', "import { checksum } from './checksum.ts';\nimport { convert }"],
      ['  exec,\n', '  exec,\n  checksum,\n'],
    ]),
  },
  task: {
    'src/tasks/grade.ts': codeOf('add-a-task'),
    'src/measurements/metrics.ts': replaced('src/measurements/metrics.ts', [
      [
        "export const scoreTasks = ['multi_label', 'segment']",
        "export const scoreTasks = ['multi_label', 'segment', 'grade']",
      ],
      ["countedTasks = ['classify', 'binary', 'segment']", "countedTasks = ['classify', 'binary', 'segment', 'grade']"],
    ]),
  },
  target: {
    'src/targets/esp32s3.ts': codeOf('add-a-target'),
    'src/targets/names.ts': replaced('src/targets/names.ts', [["'edgetpu']", "'edgetpu', 'esp32s3']"]]),
  },
  importer: { 'src/importers/dense-json.ts': codeOf('add-an-importer') },
  source: {
    'src/data/sources/pgm-folder.ts': codeOf('add-a-source'),
    'src/data/sources/index.ts': replaced('src/data/sources/index.ts', [
      [
        'import { npz }',
        "import { pgmFolder } from './pgm-folder.ts';\nimport type { PgmFolderSource } from './pgm-folder.ts';\nimport { npz }",
      ],
      ['  | NpzSource', '  | NpzSource\n  | PgmFolderSource'],
      ['  npz,\n}', '  npz,\n  pgm_folder: pgmFolder,\n}'],
    ]),
    'src/data/config.ts': replaced('src/data/config.ts', [
      ['    sources.npz.schema,', '    sources.npz.schema,\n    sources.pgm_folder.schema,'],
    ]),
  },
};

/** The lines in tables without which the additions do not compile. */
const tables = {
  'src/cli/pipeline-examples.ts': replaced('src/cli/pipeline-examples.ts', [
    ['  exec: `', `  checksum: ${exampleOf('add-a-stage', 'checksum')},\n  exec: \``],
    ['  npz: ', `  pgm_folder: ${exampleOf('add-a-source', 'pgm_folder')},\n  npz: `],
  ]),
  'src/tasks/index.ts': replaced('src/tasks/index.ts', [
    ['import { multiLabel }', "import { grade } from './grade.ts';\nimport { multiLabel }"],
    ['{ regress, reconstruct, segment }', '{ regress, reconstruct, segment, grade }'],
  ]),
  'src/export/answers.ts': replaced('src/export/answers.ts', [
    ['  segment,\n};', '  segment,\n  grade: classify,\n};'],
  ]),
  'src/targets/index.ts': replaced('src/targets/index.ts', [
    ['import { ethosU55 }', "import { esp32s3 } from './esp32s3.ts';\nimport { ethosU55 }"],
    ['ethos_u55: ethosU55, edgetpu }', 'ethos_u55: ethosU55, edgetpu, esp32s3 }'],
  ]),
  'src/importers/index.ts': replaced('src/importers/index.ts', [
    ['import { keras }', "import { denseJson } from './dense-json.ts';\nimport { keras }"],
    ['const table = {', 'const table = { dense_json: denseJson,'],
  ]),
};

const { stage, task, target, importer, source } = pages;
const additions = { ...stage, ...task, ...target, ...importer, ...source };

describe('the stage, task, target, importer and source of the pages', { timeout: 240_000 }, () => {
  it('compile with their words in the tables', () => {
    expect(mistakes({ ...additions, ...tables })).toEqual([]);
  });

  it('are missed where a table does not have them', () => {
    const found = mistakes(additions);
    for (const [file, word] of [
      ['src/cli/pipeline-examples.ts', 'checksum'],
      ['src/cli/pipeline-examples.ts', 'pgm_folder'],
      ['src/tasks/index.ts', "'grade'"],
      ['src/export/answers.ts', 'grade'],
      ['src/targets/index.ts', 'esp32s3'],
    ] as const) {
      expect(
        found.filter((text) => text.startsWith(`${file}: `) && text.includes(word)),
        `${file}, ${word}`,
      ).not.toEqual([]);
    }
  });
});
