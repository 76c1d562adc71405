/** Which value of a checkpoint each variable has: what the graph's own nodes restore. */
import { stringsIn } from '../../formats/protobuf/function-def.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import { producerOf } from './order.ts';

const assignments = new Set(['AssignVariableOp', 'Assign']);
const handedOn = new Set(['Identity', 'Reshape']);

/**
 * Names in the checkpoint by the node of the variable.
 *
 * @param nodes without calls of functions
 */
export function checkpointNames(nodes: readonly NodeDef[], path: string): ReadonlyMap<string, string> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const names = new Map<string, string>();
  for (const node of nodes) {
    if (!assignments.has(node.op)) continue;
    const [variable = '', value = ''] = node.inputs;
    const restored = restoredName(byName, value, path);
    if (restored !== null) names.set(producerOf(variable), restored);
  }
  return names;
}

const deepest = 16;

/** The name of what RestoreV2 reads as this value; null for a value that it does not read. */
function restoredName(nodes: ReadonlyMap<string, NodeDef>, value: string, path: string): string | null {
  let name = value;
  for (let depth = 0; depth < deepest; depth++) {
    const node = nodes.get(producerOf(name));
    if (node === undefined) return null;
    if (node.op === 'RestoreV2') {
      const names = stringsIn(nodes.get(node.inputs[1] ?? '')?.attributes.get('value'), path);
      return names?.[Number(/:(\d+)$/.exec(name)?.[1] ?? 0)] ?? null;
    }
    if (!handedOn.has(node.op)) return null;
    name = node.inputs[0] ?? '';
  }
  return null;
}
