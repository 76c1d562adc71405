/** What is in a .tflite file, on a page: the graph, its numbers, and which devices take it. */
import { counted } from '../../core/words.ts';
import { bytes, fullScale, integer, percent, shapeText, significant } from '../format.ts';
import { markup, nothing } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { page, table } from '../page.ts';
import type { Column } from '../page.ts';
import type { Section } from '../sections/section.ts';
import { drawnGraph } from './graph.ts';
import { histogramDrawing } from './histogram.ts';
import type { Histogram } from './histogram.ts';
import type { ModelFile, ModelOperator, ModelSubgraph, ModelTensor } from './model-file.ts';
import { modelStyle } from './style.ts';

/** One self-contained page; equal files give equal bytes. */
export function renderModel(model: ModelFile): string {
  const sections: Section[] = [
    { id: 'edges', title: 'Input and output', body: edgesSection(model) },
    { id: 'graph', title: 'Graph', body: markup`${model.subgraphs.map(graphFigure)}` },
    { id: 'targets', title: 'Devices', body: targetsSection(model) },
    { id: 'weights', title: 'Weights', body: weightsSection(model) },
    { id: 'operators', title: 'Operators', body: markup`${model.subgraphs.map(operatorsTable)}` },
    { id: 'tensors', title: 'Tensors', body: markup`${model.subgraphs.map(tensorsTable)}` },
    { id: 'file', title: 'File', body: fileSection(model) },
  ];
  return page(
    `${model.name} \u2013 qpipe inspect`,
    markup`<header><h1>${model.name}</h1>
<p class="byline"><span>TensorFlow Lite</span>${model.description === '' ? null : markup`<span>${model.description}</span>`}<span class="mono">sha256 ${model.sha256.slice(0, 12)}</span></p></header>
${tiles(model)}
<nav>${sections.map(({ id, title }) => markup`<a href="#${id}">${title}</a>`)}</nav>
${sections.map(
  ({ id, title, body }) => markup`<section id="${id}"><h2>${title}</h2>
${body}</section>
`,
)}`,
    modelStyle,
  );
}

function tiles({ bytes: size, subgraphs, memory }: ModelFile): Markup {
  const tensors = subgraphs.flatMap((subgraph) => subgraph.tensors);
  const constants = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const operators = subgraphs.reduce((sum, subgraph) => sum + subgraph.operators.length, 0);
  const facts: (readonly [string, string, string])[] = [
    ['File', bytes(size), `${integer(size)} bytes`],
    ['Constants', bytes(constants), `${percent(constants / Math.max(1, size))} of the file`],
    ['Operators', integer(operators), counted(tensors.length, 'tensor')],
  ];
  if (memory !== null) {
    facts.push(['Tensor arena', bytes(memory.arena), 'TensorFlow Lite Micro']);
    facts.push(['Multiplications', integer(memory.macs), 'for one example']);
  }
  return markup`<dl class="facts">${facts.map(
    ([name, value, note]) => markup`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`,
  )}</dl>`;
}

const full = { sorting: 'fixed', width: 'full' } as const;
const sortable = { sorting: 'sortable', width: 'full' } as const;

type Edge = ModelTensor & { readonly role: string };

function edgesSection({ subgraphs: [main] }: ModelFile): Markup {
  if (main === undefined) return markup`<p>The file has no graph.</p>`;
  const edges = (indices: readonly number[], role: string): Edge[] =>
    indices.flatMap((index) => {
      const tensor = main.tensors[index];
      return tensor === undefined ? [] : [{ ...tensor, role }];
    });
  const columns: readonly Column<Edge>[] = [
    { head: 'tensor', kind: 'text', cell: ({ name }) => nameOf(name) },
    { head: 'role', kind: 'text', cell: ({ role }) => role },
    { head: 'type', kind: 'text', cell: ({ dtype }) => dtype },
    { head: 'shape', kind: 'text', cell: ({ shape }) => shapeText(shape) },
    { head: 'real value', kind: 'text', cell: realText },
  ];
  return table([...edges(main.inputs, 'input'), ...edges(main.outputs, 'output')], columns, full);
}

const nameOf = (name: string): Markup => markup`<span class="mono name">${name === '' ? '(no name)' : name}</span>`;

function realText({ scales: [scale, ...others], zeroPoints }: ModelTensor): string {
  if (scale === undefined) return 'as stored';
  if (others.length > 0) return `${counted(others.length + 1, 'scale')}, one a channel`;
  return `${fullScale(scale)} \u00d7 (q \u2212 ${zeroPoints[0] ?? 0})`;
}

const heading = (subgraph: ModelSubgraph, index: number): Markup | null =>
  index === 0 ? null : markup`<h3>Subgraph ${index}${subgraph.name === '' ? '' : `: ${subgraph.name}`}</h3>`;

function graphFigure(subgraph: ModelSubgraph, index: number): Markup {
  const label = `graph of ${counted(subgraph.operators.length, 'operator')}`;
  return markup`${heading(subgraph, index)}<div class="net" role="region" tabindex="0" aria-label="${label}">${drawnGraph(subgraph, index, label)}</div>
`;
}

function targetsSection({ targets }: ModelFile): Markup {
  if (targets.length === 0) {
    return markup`<p>Devices are asked about 8-bit models whose operators qpipe knows. This file has floats, several graphs or an operator that qpipe does not know.</p>`;
  }
  const verdict = ({ refuses, leaves }: ModelFile['targets'][number]): string =>
    refuses.length > 0
      ? `does not take ${counted(refuses.length, 'operator')}`
      : leaves.length > 0
        ? `takes all but ${counted(leaves.length, 'operator')}, which the processor runs`
        : 'takes the whole model';
  return markup`${table(
    targets,
    [
      { head: 'device', kind: 'text', cell: ({ title }) => title },
      { head: 'name', kind: 'text', cell: ({ name }) => markup`<code>${name}</code>` },
      { head: 'verdict', kind: 'text', cell: verdict },
    ],
    full,
  )}${targets.map(({ title, refuses, leaves }) => {
    const reasons = [...refuses, ...leaves];
    return reasons.length === 0
      ? nothing
      : markup`<details><summary>${title}: ${counted(reasons.length, 'operator')}</summary><ul>${reasons.map((reason) => markup`<li>${reason}</li>`)}</ul></details>`;
  })}`;
}

interface Weight {
  readonly tensor: ModelTensor;
  readonly histogram: Histogram;
  readonly id: string;
}

function weightsSection({ subgraphs }: ModelFile): Markup {
  const weights = subgraphs.flatMap(({ tensors }, graph) =>
    tensors.flatMap((tensor, index): Weight[] =>
      tensor.histogram === null || tensor.histogram.total < 2
        ? []
        : [{ tensor, histogram: tensor.histogram, id: `${graph}-${index}` }],
    ),
  );
  if (weights.length === 0) return markup`<p>The file has no constants of more than one number.</p>`;
  const number = (value: number | null): string => (value === null ? '' : significant(value));
  return markup`<p class="lead">Constants by 64 bins of one width: 8-bit codes over all of them, other numbers from the least to the greatest.</p>${table<Weight>(
    weights,
    [
      { head: 'constant', kind: 'text', cell: ({ tensor }) => nameOf(tensor.name) },
      { head: 'values', kind: 'text', cell: ({ histogram }) => histogramDrawing(histogram) },
      { head: 'type', kind: 'text', cell: ({ tensor }) => tensor.dtype },
      {
        head: 'least',
        kind: 'number',
        cell: ({ histogram }) => number(histogram.min),
        value: ({ histogram }) => histogram.min,
      },
      {
        head: 'greatest',
        kind: 'number',
        cell: ({ histogram }) => number(histogram.max),
        value: ({ histogram }) => histogram.max,
      },
      {
        head: 'zero',
        kind: 'number',
        cell: ({ histogram }) => percent(histogram.zeros / histogram.total),
        value: ({ histogram }) => histogram.zeros / histogram.total,
      },
      {
        head: 'bytes',
        kind: 'number',
        cell: ({ tensor }) => integer(tensor.bytes),
        value: ({ tensor }) => tensor.bytes,
      },
    ],
    sortable,
  )}`;
}

type Numbered<T> = T & { readonly index: number };
const numbered = <T extends object>(values: readonly T[]): readonly Numbered<T>[] =>
  values.map((value, index) => ({ ...value, index }));

function operatorsTable(subgraph: ModelSubgraph, graph: number): Markup {
  const names = (indices: readonly number[]): Markup =>
    markup`${indices.map((index, position) => [position === 0 ? '' : ', ', index < 0 ? '\u2013' : markup`<a href="#tensor-${graph}-${index}">${index}</a>`])}`;
  const first = ({ outputs: [output = -1] }: ModelOperator): ModelTensor | undefined => subgraph.tensors[output];
  const columns: readonly Column<Numbered<ModelOperator>>[] = [
    { head: '#', kind: 'number', cell: ({ index }) => markup`<span id="op-${graph}-${index}">${index}</span>` },
    {
      head: 'operator',
      kind: 'text',
      cell: ({ op, version, known }) =>
        `${op}${version > 1 ? ` v${version}` : ''}${known ? '' : ' (not known to qpipe)'}`,
    },
    { head: 'reads', kind: 'text', cell: ({ inputs }) => names(inputs) },
    { head: 'writes', kind: 'text', cell: ({ outputs }) => names(outputs) },
    {
      head: 'output',
      kind: 'text',
      cell: (operator) => {
        const output = first(operator);
        return output === undefined ? '' : `${shapeText(output.shape)} ${output.dtype}`;
      },
    },
    { head: 'options', kind: 'text', cell: ({ options }) => markup`<span class="mono">${options}</span>` },
  ];
  return markup`${heading(subgraph, graph)}${table(numbered(subgraph.operators), columns, full)}`;
}

function tensorsTable(subgraph: ModelSubgraph, graph: number): Markup {
  const columns: readonly Column<Numbered<ModelTensor>>[] = [
    {
      head: '#',
      kind: 'number',
      cell: ({ index }) => markup`<span id="tensor-${graph}-${index}">${index}</span>`,
      value: ({ index }) => index,
    },
    { head: 'tensor', kind: 'text', cell: ({ name }) => nameOf(name) },
    {
      head: 'type',
      kind: 'text',
      cell: ({ dtype, storage }) => (storage === 'dense' ? dtype : `${dtype}, ${storage}`),
    },
    { head: 'shape', kind: 'text', cell: ({ shape }) => shapeText(shape) },
    { head: 'scale', kind: 'text', cell: scaleCell, value: ({ scales: [scale] }) => scale ?? null },
    { head: 'zero point', kind: 'number', cell: ({ zeroPoints }) => [...new Set(zeroPoints)].slice(0, 3).join(', ') },
    {
      head: 'bytes',
      kind: 'number',
      cell: ({ bytes: size }) => (size === 0 ? '' : integer(size)),
      value: ({ bytes: size }) => size,
    },
  ];
  return markup`${heading(subgraph, graph)}${table(numbered(subgraph.tensors), columns, sortable)}`;
}

function scaleCell({ name, scales, axis }: ModelTensor): Markup | string {
  const [scale, ...others] = scales;
  if (scale === undefined) return '';
  if (others.length === 0) return fullScale(scale);
  const [least, greatest] = [Math.min(...scales), Math.max(...scales)];
  return markup`<details><summary>${scales.length} of axis ${axis ?? 0}, ${significant(least)} to ${significant(greatest)}</summary><div class="numbers" role="region" tabindex="0" aria-label="scales of ${name}">${scales.map(fullScale).join(', ')}</div></details>`;
}

function fileSection({ signatures, metadata, about, sha256 }: ModelFile): Markup {
  const ports = (maps: readonly { readonly name: string; readonly tensor: string }[]): Markup =>
    markup`${maps.map(({ name, tensor }) => markup`<div>${name} \u2192 ${nameOf(tensor)}</div>`)}`;
  return markup`<p class="mono">sha256 ${sha256}</p>
<h3>Signatures</h3>${
    signatures.length === 0
      ? markup`<p>None.</p>`
      : table(
          signatures,
          [
            { head: 'name', kind: 'text', cell: ({ key }) => key },
            { head: 'inputs', kind: 'text', cell: ({ inputs }) => ports(inputs) },
            { head: 'outputs', kind: 'text', cell: ({ outputs }) => ports(outputs) },
          ],
          full,
        )
  }<h3>Metadata</h3>${
    metadata.length === 0
      ? markup`<p>None.</p>`
      : table(
          metadata,
          [
            { head: 'name', kind: 'text', cell: ({ name }) => name },
            { head: 'bytes', kind: 'number', cell: (entry) => integer(entry.bytes) },
          ],
          { sorting: 'fixed', width: 'narrow' },
        )
  }${about === null ? null : markup`<h3>What it says of its input and output</h3><pre>${about}</pre>`}`;
}
