/** From a graph to a program: schedule, memory and instructions, all fixed before the first step. */
import { internal, present } from '../../core/assert.ts';
import { expectDType, numElements, sameShape } from '../../core/tensor.ts';
import type { Graph, Node, Value } from '../../graph/graph.ts';
import { valueOf, variablesOf } from '../../graph/graph.ts';
import type { FloatOp } from '../engine.ts';
import { liveNodes, replicaValues } from '../replicas.ts';
import { kernelOf } from './kernels.ts';
import { ALIGNMENT, align, allocator, placeBlocks } from '../../wasm/memory.ts';
import { instructionWords } from '../../wasm/program.ts';
import { ALL, BARRIER, COPY, END, TEAM } from './opcodes.ts';
import type { KernelNode, Operand, Phase, Region, Storage } from './program.ts';

export interface Plan {
  readonly memoryBytes: number;
  /** Address of the word that wakes the threads. */
  readonly control: number;
  /** Address of each replica's program. */
  readonly programs: readonly number[];
  /** Private memory: thread t owns `bytes` from `address + t * bytes`. */
  readonly scratch: { readonly address: number; readonly bytes: number };
  /** Where the pieces of a value lie: one address for a shared value, else one for each replica. */
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly outputs: ReadonlyMap<string, readonly number[]>;
  readonly variables: ReadonlyMap<string, number>;
  /** Writes constants, initial variables, tables and programs. */
  initialize(memory: ArrayBufferLike): void;
}

/** A node with its instructions and what they write. */
interface Step {
  readonly scope: typeof TEAM | typeof ALL;
  readonly phases: readonly Phase[];
  readonly written: ReadonlySet<Storage>;
}

export interface PlanOptions {
  /** Inputs of which each replica gets its own piece. */
  readonly split: ReadonlySet<string>;
  readonly replicas: number;
  readonly threads: number;
}

// Address 0 stands for "no operand"; the first words hold the control word, then one line for each barrier.
const CONTROL = ALIGNMENT;
const BARRIERS = 2 * ALIGNMENT;

export function makePlan(graph: Graph, options: PlanOptions): Plan {
  const { replicas } = options;
  const lowered = lowerGraph(graph, options);
  const { steps, storages, storageOf, outputs, perReplica } = lowered;
  const { memory, addressOf } = placeStorages(storages, replicas);
  const instructions = steps.flatMap(({ phases }) => phases.flat());
  const scratchBytes = align(Math.max(64, ...instructions.map((instruction) => instruction.scratchBytes ?? 0)));
  const scratch = { address: memory.place(options.threads * scratchBytes), bytes: scratchBytes };
  const programWords = Array.from({ length: replicas }, (_, replica) =>
    encode(steps, (region) => addressOf(region, replica), {
      [ALL]: BARRIERS,
      [TEAM]: BARRIERS + (replica + 1) * ALIGNMENT,
    }),
  );
  const programs = programWords.map((words) => memory.place(4 * words.length));
  const pieces = (name: string, storage: Storage): readonly number[] =>
    Array.from({ length: perReplica.has(name) ? replicas : 1 }, (_, replica) => addressOf(whole(storage), replica));

  return {
    memoryBytes: memory.bytes(),
    control: CONTROL,
    programs,
    scratch,
    inputs: new Map(graph.inputs.map((name) => [name, pieces(name, storageOf(name))])),
    outputs: new Map([...outputs].map(([name, storage]) => [name, pieces(name, storage)])),
    variables: new Map(variablesOf(graph).map(({ name }) => [name, storageOf(name).address])),
    initialize(buffer) {
      for (const { address, initial } of storages) {
        if (initial instanceof Float32Array) new Float32Array(buffer, address, initial.length).set(initial);
        if (initial instanceof Int32Array) new Int32Array(buffer, address, initial.length).set(initial);
      }
      programWords.forEach((words, replica) => new Int32Array(buffer, programs[replica], words.length).set(words));
    },
  };
}

/** A graph as steps over pieces of memory that have no place yet. */
interface LoweredGraph {
  readonly steps: readonly Step[];
  readonly storages: readonly Storage[];
  /** The memory of a value. */
  readonly storageOf: (name: string) => Storage;
  readonly outputs: ReadonlyMap<string, Storage>;
  /** Values of which each replica has its own. */
  readonly perReplica: ReadonlySet<string>;
}

function lowerGraph(graph: Graph, { split, replicas }: PlanOptions): LoweredGraph {
  const live = liveNodes(graph);
  const perReplica = replicaValues(graph, live, split);
  const nodes = scheduleByScope(live, (name) => perReplica.has(name));
  const reads = readTimes(graph, nodes, perReplica);
  const inPlace = updatesInPlace(graph, nodes, reads);
  const memory = valueMemory(graph, perReplica);

  const steps: Step[] = [];
  for (const [now, node] of nodes.entries()) {
    const [output = ''] = node.outputs;
    if (isView(node, perReplica)) {
      memory.name(output, memory.use(node.inputs[0] ?? '', now));
      continue;
    }
    const inputs = node.inputs.map((input) => memory.operand(input, now));
    placeOutputs(node, now, { memory, reads, inPlace });
    const outputs = node.outputs.map((name) => memory.operand(name, now));
    const written = new Set(outputs.map(({ region }) => region.storage));
    const kernelNode: KernelNode<FloatOp> = {
      inputs,
      outputs,
      // Pairs with the kernel of the same op; the table's types guarantee it.
      attrs: node.attrs,
      replicas,
      table: (words) => whole(memory.add('persistent', 4 * words.length, 0, Int32Array.from(words))),
      temporary(bytes) {
        const storage = memory.add(memory.kindOf(output), bytes, now);
        written.add(storage);
        return whole(storage);
      },
    };
    steps.push({ scope: perReplica.has(output) ? TEAM : ALL, phases: kernelOf(node.op).lower(kernelNode), written });
  }
  const outputs = new Map(graph.outputs.map((name) => [name, memory.use(name, Infinity)] as const));
  steps.push(...finalCopies(graph, memory, { inPlace, outputs, end: nodes.length }));
  return { steps, storages: memory.storages, storageOf: (name) => memory.use(name, -1), outputs, perReplica };
}

/** The memory of values, while the steps that use it are found one after the other. */
interface ValueMemory {
  readonly storages: readonly Storage[];
  readonly kindOf: (name: string) => 'replica' | 'shared';
  readonly bytesOf: (name: string) => number;
  readonly add: (kind: Storage['kind'], bytes: number, now: number, initial?: Storage['initial']) => Storage;
  /** Gives a value its memory. */
  readonly name: (name: string, storage: Storage) => void;
  readonly given: (name: string) => Storage | undefined;
  /** The memory of a value, which is kept until then. */
  readonly use: (name: string, now: number) => Storage;
  readonly operand: (name: string, now: number) => Operand;
}

/** Inputs, constants and variables have theirs from the start. */
function valueMemory(graph: Graph, perReplica: ReadonlySet<string>): ValueMemory {
  const storages: Storage[] = [];
  const storageOf = new Map<string, Storage>();
  const memory: ValueMemory = {
    storages,
    kindOf: (name) => (perReplica.has(name) ? 'replica' : 'shared'),
    bytesOf: (name) => 4 * numElements(valueOf(graph, name).type.shape),
    add(kind, bytes, now, initial = null) {
      const storage = { kind, bytes, initial, first: now, last: now, address: -1 };
      storages.push(storage);
      return storage;
    },
    name: (name, storage) => void storageOf.set(name, storage),
    given: (name) => storageOf.get(name),
    use(name, now) {
      const storage = present(storageOf.get(name), `memory of "${name}"`);
      storage.last = Math.max(storage.last, now);
      return storage;
    },
    operand(name, now) {
      const { shape } = valueOf(graph, name).type;
      return { region: whole(memory.use(name, now)), shape, count: numElements(shape) };
    },
  };
  for (const value of graph.values.values()) {
    if (value.source.kind === 'node') continue;
    const initial = initialData(value);
    const kind = initial === null ? memory.kindOf(value.name) : 'persistent';
    memory.name(value.name, memory.add(kind, memory.bytesOf(value.name), -1, initial));
  }
  return memory;
}

/** Over the variable that an output becomes, over an operand that nothing reads any more, or in memory of its own. */
function placeOutputs(
  node: Node,
  now: number,
  given: { readonly memory: ValueMemory; readonly reads: ReadTimes; readonly inPlace: ReadonlyMap<string, string> },
): void {
  const { memory, reads, inPlace } = given;
  for (const output of node.outputs) {
    const [ownKind, ownBytes] = [memory.kindOf(output), memory.bytesOf(output)];
    const variable = inPlace.get(output);
    const taken = node.outputs.map(memory.given);
    const storage =
      (variable === undefined ? null : memory.use(variable, now)) ??
      overwritable(node, now, reads)
        .map((input) => memory.use(input, now))
        .find(({ kind, bytes }) => kind === ownKind && bytes === ownBytes);
    const fits = storage !== undefined && !taken.includes(storage);
    memory.name(output, fits ? storage : memory.add(ownKind, ownBytes, now));
  }
}

/** Old values that outlive their variable are saved first; then the variables take the new ones. */
function finalCopies(
  graph: Graph,
  memory: ValueMemory,
  given: {
    readonly inPlace: ReadonlyMap<string, string>;
    /** Where the outputs are; those that are saved move. */
    readonly outputs: Map<string, Storage>;
    readonly end: number;
  },
): readonly Step[] {
  const { inPlace, outputs, end } = given;
  const pending = graph.updates.filter(({ value }) => !inPlace.has(value));
  const target = (variable: string): Storage => present(memory.given(variable), variable);
  const changing = new Set(pending.map(({ variable }) => target(variable)));
  const copies: Step[] = [];
  const copy = (from: Storage, to: Storage): void => {
    copies.push({
      scope: ALL,
      phases: [[{ code: COPY, args: [whole(from), whole(to), from.bytes / 4] }]],
      written: new Set([to]),
    });
  };
  const saved = (storage: Storage): Storage => {
    if (!changing.has(storage)) return storage;
    const to = memory.add('shared', storage.bytes, end);
    to.last = Infinity;
    copy(storage, to);
    return to;
  };
  for (const [name, storage] of outputs) outputs.set(name, saved(storage));
  const values = pending.map(({ variable, value }) => ({
    to: target(variable),
    from: saved(memory.use(value, Infinity)),
  }));
  for (const { from, to } of values) copy(from, to);
  return copies;
}

/** Persistent pieces, the shared arena, one arena for each replica; what comes behind them is placed by the caller. */
function placeStorages(storages: readonly Storage[], replicas: number) {
  const memory = allocator(BARRIERS + (replicas + 1) * ALIGNMENT);
  for (const storage of storages) {
    if (storage.kind === 'persistent') storage.address = memory.place(storage.bytes);
  }
  const placeArena = (kind: 'shared' | 'replica', base: (bytes: number) => number): number => {
    const members = storages.filter((storage) => storage.kind === kind);
    const { offsets, bytes } = placeBlocks(members);
    const start = base(bytes);
    members.forEach((storage, index) => (storage.address = start + (offsets[index] ?? 0)));
    return bytes;
  };
  placeArena('shared', memory.place);
  const replicaBytes = placeArena('replica', () => 0);
  const replicaBase = memory.place(replicas * replicaBytes);
  const addressOf = ({ storage, offset, replica }: Region, running: number): number => {
    const arena = storage.kind === 'replica' ? replicaBase + (replica ?? running) * replicaBytes : 0;
    return arena + storage.address + offset;
  };
  return { memory, addressOf };
}

function whole(storage: Storage): Region {
  return { storage, offset: 0, replica: null };
}

function initialData({ source, name }: Value): Float32Array | null {
  switch (source.kind) {
    case 'constant':
      return expectDType(source.data, 'float32').data;
    case 'variable':
      return expectDType(source.initial, 'float32').data;
    case 'input':
      return null;
    case 'node':
      return internal(`"${name}" is made by a node`);
  }
}

/** Whether the output is the input under another name. */
function isView(node: Node, perReplica: ReadonlySet<string>): boolean {
  return (
    node.op === 'reshape' || node.op === 'squeeze' || (node.op === 'cross_replica' && !perReplica.has(node.inputs[0]!))
  );
}

/**
 * Groups the nodes into long runs of one scope, because all replicas meet where the scope changes. With one replica
 * the order stays.
 */
function scheduleByScope(nodes: readonly Node[], isPerReplica: (name: string) => boolean): readonly Node[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const schedule: Node[] = [];
  let waiting = nodes;
  let replicaScope = false;
  while (waiting.length > 0) {
    waiting = waiting.filter((node) => {
      if (isPerReplica(node.outputs[0]!) !== replicaScope || node.inputs.some((input) => made.has(input))) return true;
      schedule.push(node);
      for (const output of node.outputs) made.delete(output);
      return false;
    });
    replicaScope = !replicaScope;
  }
  return schedule;
}

/** When each value is read for the last time; reads of a view are reads of the value behind it. */
interface ReadTimes {
  readonly originOf: (name: string) => string;
  /** Place in the schedule; Infinity for outputs and for what variables become. */
  readonly last: ReadonlyMap<string, number>;
}

function readTimes(graph: Graph, nodes: readonly Node[], perReplica: ReadonlySet<string>): ReadTimes {
  const origin = new Map<string, string>();
  const originOf = (name: string): string => origin.get(name) ?? name;
  const last = new Map<string, number>();
  for (const [now, node] of nodes.entries()) {
    for (const input of node.inputs) last.set(originOf(input), now);
    if (isView(node, perReplica)) origin.set(node.outputs[0]!, originOf(node.inputs[0]!));
  }
  for (const name of [...graph.outputs, ...graph.updates.map((update) => update.value)]) {
    last.set(originOf(name), Infinity);
  }
  return { originOf, last };
}

/** The operands that an output of the node may be written over: read element by element, and for the last time. */
function overwritable(node: Node, now: number, { originOf, last }: ReadTimes): readonly string[] {
  const elementwise = kernelOf(node.op).elementwise ?? [];
  return elementwise
    .flatMap((index) => node.inputs[index] ?? [])
    .filter(
      (input) =>
        last.get(originOf(input)) === now &&
        node.inputs.every((other, index) => originOf(other) !== originOf(input) || elementwise.includes(index)),
    );
}

/** Values that may be written over the variable that they become. Maps value to variable. */
function updatesInPlace(graph: Graph, nodes: readonly Node[], reads: ReadTimes): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const { variable, value } of graph.updates) {
    const now = nodes.findIndex((node) => node.outputs.includes(value));
    if (now < 0 || result.has(value)) continue;
    const fits =
      overwritable(nodes[now]!, now, reads).some((input) => reads.originOf(input) === variable) &&
      sameShape(valueOf(graph, variable).type.shape, valueOf(graph, value).type.shape);
    if (fits) result.set(value, variable);
  }
  return result;
}

/** Addresses that were read or written since the last barrier. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Writes the instructions, with a barrier where one touches what another wrote since the last barrier. */
function encode(
  steps: readonly Step[],
  addressOf: (region: Region) => number,
  barriers: { readonly [scope in typeof TEAM | typeof ALL]: number },
): Int32Array {
  const words: number[] = [];
  let reads: Span[] = [];
  let writes: Span[] = [];
  let current: Step['scope'] = ALL;
  const barrier = (scope: Step['scope']): void => {
    words.push(BARRIER, scope, 1, barriers[scope]);
    reads = [];
    writes = [];
  };
  for (const { scope, phases, written } of steps) {
    if (scope !== current) barrier(ALL);
    current = scope;
    for (const phase of phases) {
      const spans = { reads: [] as Span[], writes: [] as Span[] };
      for (const region of phase.flatMap(({ args }) => args.filter((arg) => typeof arg !== 'number'))) {
        const start = addressOf({ ...region, offset: 0 });
        const list = written.has(region.storage) ? spans.writes : spans.reads;
        list.push({ start, end: start + region.storage.bytes });
      }
      if (overlap(spans.writes, reads) || overlap(spans.writes, writes) || overlap(spans.reads, writes)) {
        barrier(scope);
      }
      reads.push(...spans.reads);
      writes.push(...spans.writes);
      for (const { code, args } of phase) words.push(...instructionWords([code, scope], args, addressOf));
    }
  }
  barrier(ALL);
  words.push(END, ALL, 0);
  return Int32Array.from(words);
}

function overlap(a: readonly Span[], b: readonly Span[]): boolean {
  return a.some((left) => b.some((right) => left.start < right.end && right.start < left.end));
}
