/** From an integer graph to programs: memory and instructions, all fixed before the first image. */
import { internal, present } from '../../core/assert.ts';
import type { DType } from '../../core/tensor.ts';
import { elementBytes, numElements } from '../../core/tensor.ts';
import type { Graph, Node, Value } from '../../graph/graph.ts';
import { valueOf } from '../../graph/graph.ts';
import type { IntegerNode } from '../../ops/define.ts';
import type { Allocator } from '../../wasm/memory.ts';
import { allocator as newAllocator } from '../../wasm/memory.ts';
import { instructionWords } from '../../wasm/program.ts';
import { kernelOf } from './kernels.ts';
import { END, SLACK_BYTES } from './opcodes.ts';
import type { Instruction, KernelNode, Operand, Region } from './program.ts';

/** A typed array in the shared memory. */
export interface View {
  readonly dtype: DType;
  readonly address: number;
  readonly length: number;
}

/** What a thread does for each image, in order. Plain data: it is sent to the threads. */
export type Step =
  | { readonly kind: 'program'; readonly address: number }
  | {
      readonly kind: 'reference';
      readonly op: Node['op'];
      readonly node: IntegerNode<Node['attrs']>;
      readonly inputs: readonly View[];
      readonly outputs: readonly View[];
    };

/** An input or output of the model: the images of a turn lie one after the other from `address`. */
export interface Port extends View {
  readonly name: string;
  readonly imageBytes: number;
}

export interface ThreadPlan {
  readonly steps: readonly Step[];
  /** Where this thread has its own copy of each input and output. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Plan {
  readonly memoryBytes: number;
  /** Most images of one turn. */
  readonly turnImages: number;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly threads: readonly ThreadPlan[];
  /** Every value as thread `thread` left it. */
  valueOn(thread: number, name: string): View;
  /** Writes constants and programs. */
  initialize(memory: ArrayBufferLike): void;
}

/** Words by which the main thread and the others agree, each in a cache line of its own; see worker.ts. */
export const CONTROL = { turn: 16, images: 32, next: 48, finished: 64, taker: 80 } as const;
const CONTROL_BYTES = 384;

// Long enough that waking the threads costs nothing, short enough for a progress bar and Ctrl-C.
const LONGEST_TURN = 250;
const TURN_BYTES = 2 ** 26;

export function makePlan(graph: Graph, threads: number): Plan {
  const lowered = lowerGraph(graph);
  const { operand, constants } = lowered;
  const memory = allocator(CONTROL_BYTES);
  const addressOn = placeAreas(lowered, memory, threads);
  const viewOn = (thread: number, name: string): View => {
    const { type, count, region } = operand(name);
    return { dtype: type.dtype, address: addressOn(thread)(region), length: count };
  };
  const programs: Program[] = [];
  const threadPlans = Array.from({ length: threads }, (_, thread): ThreadPlan => {
    const addProgram = (instructions: readonly Instruction[]): number => {
      const words = encode(instructions, addressOn(thread));
      const address = memory.place(words.byteLength);
      programs.push({ address, words });
      return address;
    };
    const addresses = (names: readonly string[]) => names.map((name) => viewOn(thread, name).address);
    return {
      steps: threadSteps(graph, lowered, addProgram, (name) => viewOn(thread, name)),
      inputs: addresses(graph.inputs),
      outputs: addresses(graph.outputs),
    };
  });
  return {
    ...placePorts(graph, operand, memory),
    memoryBytes: memory.bytes(),
    threads: threadPlans,
    valueOn: viewOn,
    initialize(buffer) {
      for (const { region, bytes } of constants) new Uint8Array(buffer, addressOn(0)(region), bytes.length).set(bytes);
      for (const { address, words } of programs) new Int32Array(buffer, address, words.length).set(words);
    },
  };
}

interface Program {
  readonly address: number;
  readonly words: Int32Array;
}

/** What the nodes become, over regions that have no address yet. */
interface LoweredGraph {
  readonly operand: (name: string) => Operand;
  readonly nodes: readonly { readonly node: Node; readonly instructions: readonly Instruction[] | 'reference' }[];
  readonly constants: readonly { readonly region: Region; readonly bytes: Uint8Array }[];
  /** Of each area. */
  readonly areaBytes: { readonly [A in Region['area']]: number };
}

function lowerGraph(graph: Graph): LoweredGraph {
  const areas = { constants: allocator(), values: allocator() };
  const constants: { readonly region: Region; readonly bytes: Uint8Array }[] = [];
  const placeConstant = (array: Exclude<Operand['constant'], null> | Int16Array): Region => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const region = { area: 'constants', offsetBytes: areas.constants.place(bytes.length) } as const;
    constants.push({ region, bytes });
    return region;
  };
  const operands = new Map(
    [...graph.values.values()].map(
      (value) => [value.name, operandOf(value, placeConstant, areas.values.place)] as const,
    ),
  );
  const operand = (name: string): Operand => present(operands.get(name), `memory of "${name}"`);
  let scratchBytes = 0;
  const nodes = graph.nodes.map((node) => {
    const scratch = allocator();
    const kernelNode: KernelNode<never> = {
      inputs: node.inputs.map(operand),
      outputs: node.outputs.map(operand),
      // Pairs with the kernel of the same op, which `kernelOf` cannot tell the compiler.
      attrs: node.attrs as never,
      constant: placeConstant,
      scratch: (bytes) => ({ area: 'scratch', offsetBytes: scratch.place(bytes) }),
    };
    const kernel = kernelOf(node.op);
    const instructions = kernel === 'reference' ? kernel : kernel.lower(kernelNode);
    scratchBytes = Math.max(scratchBytes, scratch.bytes());
    return { node, instructions };
  });
  const areaBytes = { constants: areas.constants.bytes(), values: areas.values.bytes(), scratch: scratchBytes };
  return { operand, nodes, constants, areaBytes };
}

/** @returns the address of a region, as a thread sees it */
function placeAreas({ areaBytes }: LoweredGraph, memory: Allocator, threads: number) {
  const ofEachThread = (bytes: number) => Array.from({ length: threads }, () => memory.place(bytes));
  const constants = memory.place(areaBytes.constants);
  const bases = { values: ofEachThread(areaBytes.values), scratch: ofEachThread(areaBytes.scratch) };
  return (thread: number) =>
    ({ area, offsetBytes }: Region): number =>
      offsetBytes + (area === 'constants' ? constants : present(bases[area][thread], `memory of thread ${thread}`));
}

/** Instructions as long as there are kernels; then a node by its own loops. */
function threadSteps(
  graph: Graph,
  { nodes }: LoweredGraph,
  addProgram: (instructions: readonly Instruction[]) => number,
  view: (name: string) => View,
): readonly Step[] {
  const steps: Step[] = [];
  let pending: Instruction[] = [];
  const flush = (): void => {
    if (pending.length > 0) steps.push({ kind: 'program', address: addProgram(pending) });
    pending = [];
  };
  const plain = (name: string) => plainOperand(graph, name);
  for (const { node, instructions } of nodes) {
    if (instructions !== 'reference') {
      pending.push(...instructions);
      continue;
    }
    flush();
    steps.push({
      kind: 'reference',
      op: node.op,
      node: { inputs: node.inputs.map(plain), outputs: node.outputs.map(plain), attrs: node.attrs },
      inputs: node.inputs.map(view),
      outputs: node.outputs.map(view),
    });
  }
  flush();
  return steps;
}

/** Where the images of a turn come in and their results go out. */
function placePorts(
  graph: Graph,
  operand: LoweredGraph['operand'],
  memory: Allocator,
): Pick<Plan, 'turnImages' | 'inputs' | 'outputs'> {
  const imageBytes = (name: string): number => byteSize(valueOf(graph, name));
  const bytesOfImage = [...graph.inputs, ...graph.outputs].reduce((total, name) => total + imageBytes(name), 0);
  const turnImages = Math.max(1, Math.min(LONGEST_TURN, Math.floor(TURN_BYTES / bytesOfImage)));
  const port = (name: string): Port => {
    const { type, count } = operand(name);
    const address = memory.place(turnImages * imageBytes(name));
    return { name, dtype: type.dtype, length: count, address, imageBytes: imageBytes(name) };
  };
  return { turnImages, inputs: graph.inputs.map(port), outputs: graph.outputs.map(port) };
}

/** With room behind each block for a vector that reads over its end. */
const allocator = (start?: number): Allocator => newAllocator(start, SLACK_BYTES);

/** Values do not share memory, so each can be read after a run, for example to find the layer that differs. */
function operandOf(
  value: Value,
  placeConstant: (array: Exclude<Operand['constant'], null>) => Region,
  placeValue: (bytes: number) => number,
): Operand {
  const { type, quant, source, name } = value;
  const count = numElements(type.shape);
  if (source.kind !== 'constant') {
    return { type, quant, count, constant: null, region: { area: 'values', offsetBytes: placeValue(byteSize(value)) } };
  }
  const { data } = source.data;
  if (data instanceof BigInt64Array) return internal(`"${name}" is int64; such tensors have no kernels`);
  return { type, quant, count, constant: data, region: placeConstant(data) };
}

function byteSize({ type }: Value): number {
  return numElements(type.shape) * elementBytes[type.dtype];
}

function plainOperand(graph: Graph, name: string): IntegerNode<unknown>['inputs'][number] {
  const { type, quant } = valueOf(graph, name);
  return { type, quant };
}

function encode(instructions: readonly Instruction[], addressOf: (region: Region) => number): Int32Array {
  const ended = [...instructions, { code: END, args: [] }];
  return Int32Array.from(ended.flatMap(({ code, args }) => instructionWords([code], args, addressOf)));
}
