/** The nodes that outputs need, in an order in which each follows its inputs. */
import { userError } from '../../core/diagnostic.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';

export const producerOf = (value: string): string => value.replace(/:\d+$/, '');

/** @throws UserError for inputs that do not exist, names that are used twice, and cycles */
export function neededNodes(nodes: readonly NodeDef[], outputs: readonly string[], path: string): readonly NodeDef[] {
  const byName = nodesByName(nodes, path);
  const state = new Map<string, 'open' | 'done'>();
  const sorted: NodeDef[] = [];
  const find = (name: string, reader: string): NodeDef => {
    const node = byName.get(name);
    if (node !== undefined) return node;
    throw badGraph(path, `${reader} reads "${name}", which does not exist`);
  };
  for (const output of outputs) {
    const stack: { readonly node: NodeDef; next: number }[] = [];
    const enter = (name: string, reader: string): void => {
      const node = find(name, reader);
      const known = state.get(name);
      if (known === 'open') throw badGraph(path, `node "${name}" (${node.op}) is part of a cycle`);
      if (known === 'done') return;
      state.set(name, 'open');
      stack.push({ node, next: 0 });
    };
    enter(producerOf(output), `output "${output}"`);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const input = top.node.inputs[top.next++];
      if (input !== undefined) {
        enter(producerOf(input), `node "${top.node.name}" (${top.node.op})`);
        continue;
      }
      state.set(top.node.name, 'done');
      sorted.push(top.node);
      stack.pop();
    }
  }
  return sorted;
}

function nodesByName(nodes: readonly NodeDef[], path: string): ReadonlyMap<string, NodeDef> {
  const byName = new Map<string, NodeDef>();
  for (const [index, node] of nodes.entries()) {
    if (node.name === '') throw badGraph(path, `node ${index} has no name`);
    if (byName.has(node.name)) throw badGraph(path, `node "${node.name}" (${node.op}) is there twice`);
    byName.set(node.name, node);
  }
  return byName;
}

const badGraph = (path: string, message: string): Error =>
  userError(path, 'bad-graph-def', message, 'the file is damaged; save the model again');
