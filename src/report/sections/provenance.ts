import type { Json } from '../../core/json.ts';
import { flowChart } from '../charts.ts';
import { integer, seconds, shortDigest } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { table } from '../page.ts';
import type { Report } from '../report.ts';

export function provenanceSection(report: Report): Markup {
  const { stages, run, config, matrix } = report;
  const artifacts = stages.flatMap((stage) =>
    Object.entries(stage.outputs).map(([output, artifact]) => ({ stage: stage.name, output, ...artifact })),
  );
  const { provenance } = run;
  const machine = [
    ['command', provenance.commandLine.join(' ')],
    ['qpipe', provenance.qpipeVersion],
    ['node', provenance.node],
    [
      'platform',
      `${provenance.platform} ${provenance.arch}, ${provenance.cpus} ${provenance.cpus === 1 ? 'CPU' : 'CPUs'}`,
    ],
    ['run', run.id],
  ] as const;
  return markup`<p class="lead">Inputs and outputs of each stage. “Cached” means that an earlier result was reused; the time is then that of the earlier execution.</p>
${matrix === undefined ? stageOverview(stages) : markup`<details><summary>${stages.length} stages</summary>${stageOverview(stages)}</details>`}
<details><summary>${artifacts.length} artifacts with full digests</summary>${table(
    artifacts,
    [
      { head: 'Artifact', kind: 'text', cell: ({ path, type }) => markup`${path}<small>${type}</small>` },
      { head: 'Bytes', kind: 'number', cell: (artifact) => integer(artifact.bytes) },
      { head: 'Digest', kind: 'text', cell: ({ digest }) => markup`<code>${digest}</code>` },
    ],
    { sorting: 'fixed', width: 'full' },
  )}</details>
<h3>Environment</h3>
${table(
  machine,
  [
    { head: 'Name', kind: 'text', cell: ([name]) => name },
    { head: 'Value', kind: 'text', cell: ([, value]) => markup`<code>${value}</code>` },
  ],
  { sorting: 'fixed', width: 'full' },
)}
${config === null ? null : configDetails(config)}`;
}

function stageOverview(stages: Report['stages']): Markup {
  return markup`${
    stages.length === 0
      ? null
      : flowChart(
          stages.map((stage) => ({
            name: stage.name,
            note: stage.cached ? `cached (took ${seconds(stage.seconds)})` : `ran for ${seconds(stage.seconds)}`,
            state: stage.verdict === 'fail' ? 'failed' : stage.cached ? 'hit' : 'run',
            parents: stage.reads.map((name) => stages.findIndex((other) => other.name === name)),
          })),
        )
  }
${table(
  stages,
  [
    { head: 'Stage', kind: 'text', cell: ({ name, kind }) => markup`${name}<small>${kind}</small>` },
    { head: 'Result', kind: 'text', cell: ({ cached }) => (cached ? 'cached' : 'computed') },
    { head: 'Time', kind: 'number', cell: (stage) => seconds(stage.seconds) },
    { head: 'Key', kind: 'text', cell: ({ key }) => markup`<code title="${key}">${shortDigest(key)}</code>` },
    { head: 'Reads', kind: 'text', cell: ({ inputs }) => digestList(inputs) },
    { head: 'Writes', kind: 'text', cell: ({ outputs }) => digestList(outputs) },
  ],
  { sorting: 'fixed', width: 'full' },
)}`;
}

function digestList(named: Readonly<Record<string, { readonly digest: string }>>): Markup {
  return markup`${Object.entries(named).map(
    ([name, { digest }]) => markup`<div>${name} <code title="${digest}">${shortDigest(digest)}</code></div>`,
  )}`;
}

function configDetails(config: Json): Markup {
  return markup`<details><summary>Resolved pipeline</summary><pre>${JSON.stringify(config, null, 2)}</pre></details>`;
}
