/** A graph whose functions are written out where they are called. */
import { userError } from '../../core/diagnostic.ts';
import type { FunctionDef } from '../../formats/protobuf/function-def.ts';
import { functionNameIn } from '../../formats/protobuf/function-def.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';
import { parseInput } from '../../formats/protobuf/graph-def.ts';

/** Far above any network for a device; functions that call each other twice grow without end. */
const mostNodes = 200_000;
const deepestCall = 64;

const callers = new Set(['PartitionedCall', 'StatefulPartitionedCall']);

/**
 * Named outputs of ops with several, in their order; of all others, the index behind the name counts.
 *
 * @see tensorflow/core/ops, REGISTER_OP
 */
const outputNames: { readonly [op: string]: readonly string[] } = {
  ...Object.fromEntries(
    ['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'].map((op) => [
      op,
      ['y', 'batch_mean', 'batch_variance', 'reserve_space_1', 'reserve_space_2', 'reserve_space_3'],
    ]),
  ),
  Switch: ['output_false', 'output_true'],
  Merge: ['output', 'value_index'],
  TopKV2: ['values', 'indices'],
};

interface Inlining {
  readonly path: string;
  readonly functions: ReadonlyMap<string, FunctionDef>;
  readonly nodes: NodeDef[];
  /** What stands for an output of a call or an argument: the output of another node, `node` or `node:k`. */
  readonly aliases: Map<string, string>;
}

/**
 * @returns nodes of whose inputs each is `node` or `node:k`, without those that only order execution, and what an
 * output of the graph is called now
 * @throws UserError for functions that do not end, or that are not there
 */
export function inlineFunctions(
  nodes: readonly NodeDef[],
  functions: ReadonlyMap<string, FunctionDef>,
  path: string,
): { readonly nodes: readonly NodeDef[]; readonly resolve: (output: string) => string } {
  const inlining: Inlining = { path, functions, nodes: [], aliases: new Map() };
  for (const node of nodes) addNode(inlining, node, node.name, dataInputs(node), 0);
  const resolve = (output: string): string => {
    let found = output.replace(/:0$/, '');
    for (let steps = 0; steps <= inlining.aliases.size; steps++) {
      const next = inlining.aliases.get(found);
      if (next === undefined) return found;
      found = next;
    }
    throw userError(
      path,
      'bad-graph-def',
      `"${output}" stands for itself`,
      'the file is damaged; save the model again',
    );
  };
  return { nodes: inlining.nodes.map((node) => ({ ...node, inputs: node.inputs.map(resolve) })), resolve };
}

/** `node` or `node:k`. */
const outputName = (node: string, index: number): string => (index === 0 ? node : `${node}:${index}`);

function dataInputs(node: NodeDef): readonly string[] {
  return node.inputs.flatMap((input) => {
    const parsed = parseInput(input);
    return parsed.kind === 'data' ? [outputName(parsed.node, parsed.output)] : [];
  });
}

function addNode(inlining: Inlining, node: NodeDef, name: string, inputs: readonly string[], depth: number): void {
  const { functions, path, nodes } = inlining;
  if (nodes.length >= mostNodes) {
    throw userError(
      path,
      'bad-graph-def',
      `node "${name}": the functions make more than ${mostNodes} nodes`,
      'save a smaller graph',
    );
  }
  const called = callers.has(node.op)
    ? functionNameIn(node.attributes.get('f'), path)
    : functions.has(node.op)
      ? node.op
      : null;
  if (called === null) {
    nodes.push({ ...node, name, inputs });
    return;
  }
  const definition = functions.get(called);
  if (definition === undefined || depth >= deepestCall) {
    const problem = definition === undefined ? 'is not in the file' : 'calls itself';
    throw userError(
      path,
      'bad-graph-def',
      `node "${name}" calls function "${called}", which ${problem}`,
      'save the model again',
    );
  }
  addBody(inlining, definition, name, inputs, depth + 1);
}

function addBody(
  inlining: Inlining,
  definition: FunctionDef,
  prefix: string,
  given: readonly string[],
  depth: number,
): void {
  const { aliases } = inlining;
  const within = (name: string): string => `${prefix}/${name}`;
  const ops = new Map(definition.nodes.map(({ name, op }) => [name, op]));
  for (const [index, argument] of definition.inputs.entries()) {
    const value = given[index];
    if (value !== undefined) aliases.set(within(argument), value);
  }
  const global = (input: string): string => {
    const [node = '', output, index] = input.split(':');
    if (output === undefined) return within(node);
    const named = outputNames[ops.get(node) ?? '']?.indexOf(output) ?? -1;
    return outputName(within(node), (named < 0 ? 0 : named) + Number(index ?? 0));
  };
  for (const node of definition.nodes) {
    const inputs = node.inputs.filter((input) => !input.startsWith('^')).map(global);
    addNode(inlining, node, within(node.name), inputs, depth);
  }
  for (const [index, output] of definition.outputs.entries()) {
    const value = definition.returns.get(output);
    if (value !== undefined) aliases.set(outputName(prefix, index), global(value));
  }
}
