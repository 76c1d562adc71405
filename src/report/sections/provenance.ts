/** Where everything comes from: what was run, on what, with every digest, and how to make it again. */
import type { Json } from '../../core/json.ts';
import { counted } from '../../core/words.ts';
import { flowChart } from '../charts.ts';
import { integer, seconds, shortDigest } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { fileLink } from './file-link.ts';
import { table } from '../page.ts';
import { sideBySide } from '../report.ts';
import type { Report } from '../report.ts';

export function provenanceSection(report: Report): Markup {
  const { stages, config } = report;
  const overview = stageOverview(stages);
  return markup`<p class="lead">The stages that ran, what each read and wrote, and how to make the same files again. \u201cStored\u201d: an earlier run had computed the result, which was used again; the time is then that of the earlier run.</p>
${sideBySide(report) === undefined ? overview : markup`<details><summary>${counted(stages.length, 'stage')}</summary>${overview}</details>`}
${digestTables(stages)}
<h3>Make it again</h3>
<p class="lead">Where the run was started, with the same version of qpipe. Equal inputs give equal bytes.</p>
<pre>${rebuildCommands(report)}</pre>
<p>In the folder of this page: ${links(['pipeline.yaml', 'resolved.json', 'report.json', 'run.json', 'events.ndjson'])}.</p>
<h3>Environment</h3>
${table(
  environment(report),
  [
    { head: 'Name', kind: 'text', cell: ([name]) => name },
    { head: 'Value', kind: 'text', cell: ([, value]) => markup`<code>${value}</code>` },
  ],
  { sorting: 'fixed', width: 'full' },
)}
${config === null ? null : configDetails(config)}`;
}

function environment({ run }: Report): (readonly [name: string, value: string])[] {
  const { provenance } = run;
  const processors = counted(provenance.cpus, 'CPU');
  return [
    ['command', provenance.commandLine.join(' ')],
    ['qpipe', provenance.qpipeVersion],
    ['node', provenance.node],
    ['platform', `${provenance.platform} ${provenance.arch}, ${processors}`],
    ['run', run.id],
  ];
}

function rebuildCommands({ run: { id } }: Report): string {
  return `qpipe run --resume runs/${id}  # the same pipeline; stored results are used
qpipe verify  # computes stored results again and compares the bytes`;
}

function links(paths: readonly string[]): Markup {
  return markup`${paths.map((path, index) => markup`${index === 0 ? '' : ', '}${fileLink(path)}`)}`;
}

function stageOverview(stages: Report['stages']): Markup {
  return markup`${
    stages.length === 0
      ? null
      : flowChart(
          stages.map((stage) => ({
            name: stage.name,
            note: stage.cached ? `stored (took ${seconds(stage.seconds)})` : `ran for ${seconds(stage.seconds)}`,
            state: stage.verdict === 'fail' ? 'failed' : stage.cached ? 'hit' : 'run',
            parents: stage.reads.map((name) => stages.findIndex((other) => other.name === name)),
          })),
        )
  }
${table(
  stages,
  [
    { head: 'Stage', kind: 'text', cell: ({ name, kind }) => markup`${name}<small>${kind}</small>` },
    { head: 'Result', kind: 'text', cell: ({ cached }) => (cached ? 'stored' : 'computed') },
    { head: 'Time', kind: 'number', cell: (stage) => seconds(stage.seconds) },
    { head: 'Key', kind: 'text', cell: ({ key }) => markup`<code>${shortDigest(key)}</code>` },
    { head: 'Reads', kind: 'text', cell: ({ inputs }) => digestList(inputs) },
    { head: 'Writes', kind: 'text', cell: ({ outputs }) => fileList(outputs) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}

function digestList(named: Report['stages'][number]['inputs']): Markup {
  return markup`${Object.entries(named).map(
    ([name, { digest }]) => markup`<div>${name} <code>${shortDigest(digest)}</code></div>`,
  )}`;
}

function fileList(outputs: Report['stages'][number]['outputs']): Markup {
  return markup`${Object.values(outputs).map(({ path }) => markup`<div>${fileLink(path)}</div>`)}`;
}

/** All digests in full, each file once with a link. */
function digestTables(stages: Report['stages']): Markup {
  const files = stages.flatMap(({ outputs }) => Object.values(outputs));
  const keys = stages.map(({ name, key }) => ({ name, key }));
  const inputs = new Map(
    stages.flatMap((stage) =>
      Object.values(stage.inputs).map(({ type, digest }) => [digest, { type, digest }] as const),
    ),
  );
  const written = new Set(files.map(({ digest }) => digest));
  const outside = [...inputs.values()].filter(({ digest }) => !written.has(digest));
  const full = { sorting: 'fixed', width: 'full' } as const;
  return markup`<details><summary>${counted(files.length, 'file')} with full digests</summary>${table(
    files,
    [
      { head: 'File', kind: 'text', cell: ({ path, type }) => markup`${fileLink(path)}<small>${type}</small>` },
      { head: 'Bytes', kind: 'number', cell: (file) => integer(file.bytes) },
      { head: 'SHA-256', kind: 'text', cell: ({ digest }) => markup`<code>${digest.replace('sha256:', '')}</code>` },
    ],
    full,
  )}</details>
<details><summary>Data and keys with full digests</summary>${
    outside.length === 0
      ? null
      : table(
          outside,
          [
            { head: 'Read from outside', kind: 'text', cell: ({ type }) => type },
            {
              head: 'SHA-256',
              kind: 'text',
              cell: ({ digest }) => markup`<code>${digest.replace('sha256:', '')}</code>`,
            },
          ],
          full,
        )
  }<p class="lead">The key of a stage is the digest of all that can change its result: settings, inputs, seeds, engine and code.</p>${table(
    keys,
    [
      { head: 'Stage', kind: 'text', cell: ({ name }) => name },
      { head: 'Key', kind: 'text', cell: ({ key }) => markup`<code>${key}</code>` },
    ],
    full,
  )}</details>`;
}

function configDetails(config: Json): Markup {
  return markup`<details><summary>The pipeline with all defaults</summary><pre>${JSON.stringify(config, null, 2)}</pre></details>`;
}
