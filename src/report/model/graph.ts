import { clipped } from '../../core/screen-text.ts';
import { shapeText } from '../format.ts';
import { markup } from '../markup.ts';
import type { Markup } from '../markup.ts';
import { layeredLayout } from './layout.ts';
import type { ModelSubgraph, ModelTensor } from './model-file.ts';

const size = { width: 178, height: 46, gapX: 18, gapY: 26 } as const;

/** Letters of one width that fit into a box, at the sizes of the style sheet. */
const letters = { op: 21, shape: 23 } as const;

interface Node {
  readonly kind: 'input' | 'output' | 'op' | 'unknown';
  readonly title: string;
  readonly note: string;
  /** All of it, for who points at the box. */
  readonly hint: string;
  readonly parents: readonly number[];
  readonly href: string;
}

/** The operators as boxes, each a link to its row in the table, with the inputs above and the outputs below. */
export function drawnGraph(subgraph: ModelSubgraph, graph: number, label: string): Markup {
  const nodes = nodesOf(subgraph, graph);
  const { width, height, boxes, edges } = layeredLayout(
    nodes.map(({ parents }) => parents),
    size,
  );
  return markup`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-label="${label}" role="group">
<path class="edge" d="${edges.join('')}"/>
${nodes.map(({ kind, title, note, hint, href }, index) => {
  const { x, y } = boxes[index] ?? { x: 0, y: 0 };
  return markup`<a class="${kind}" href="${href}"><title>${hint}</title><rect x="${x}" y="${y}" width="${size.width}" height="${size.height}" rx="6"/><text class="op" x="${x + 10}" y="${y + 19}">${clipped(title, letters.op)}</text><text class="shape" x="${x + 10}" y="${y + 36}">${clipped(note, letters.shape)}</text></a>
`;
})}</svg>`;
}

function nodesOf(subgraph: ModelSubgraph, graph: number): readonly Node[] {
  const nodes: Node[] = [];
  /** By tensor, the node that makes it. */
  const makers = new Map<number, number>();
  const typeText = (tensor: ModelTensor | undefined): string =>
    tensor === undefined ? '' : `${shapeText(tensor.shape)} ${tensor.dtype}`;
  const makersOf = (tensors: readonly number[]): number[] => [
    ...new Set(tensors.flatMap((tensor) => makers.get(tensor) ?? [])),
  ];
  for (const index of subgraph.inputs) {
    const tensor = subgraph.tensors[index];
    makers.set(index, nodes.length);
    const name = tensor?.name ?? '';
    nodes.push({
      ...{ kind: 'input', title: 'input', note: typeText(tensor), hint: `input ${name}`, parents: [] },
      href: `#tensor-${graph}-${index}`,
    });
  }
  for (const [index, { op, known, inputs, outputs }] of subgraph.operators.entries()) {
    const output = subgraph.tensors[outputs[0] ?? -1];
    const parents = makersOf(inputs);
    for (const tensor of outputs) makers.set(tensor, nodes.length);
    const note = typeText(output);
    nodes.push({
      ...{ kind: known ? 'op' : 'unknown', title: `${index} ${op}`, note, parents },
      ...{ hint: `${index} ${op}: ${note}, ${output?.name ?? ''}`, href: `#op-${graph}-${index}` },
    });
  }
  for (const index of subgraph.outputs) {
    const tensor = subgraph.tensors[index];
    nodes.push({
      ...{ kind: 'output', title: 'output', note: typeText(tensor), hint: `output ${tensor?.name ?? ''}` },
      ...{ parents: makersOf([index]), href: `#tensor-${graph}-${index}` },
    });
  }
  return nodes;
}
