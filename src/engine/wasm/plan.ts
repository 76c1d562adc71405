/** From a graph to a program: schedule, memory and instructions, all fixed before the first step. */
import { internal, present } from '../../core/assert.ts';
import { expectDType, numElements, sameShape } from '../../core/tensor.ts';
import type { Graph, Node, Value } from '../../graph/graph.ts';
import { isVariable, valueOf } from '../../graph/graph.ts';
import type { FloatOp } from '../engine.ts';
import { liveNodes, replicaValues } from '../replicas.ts';
import { kernelOf } from './kernels.ts';
import { ALIGNMENT, align, placeBlocks } from '../../wasm/memory.ts';
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

export function makePlan(graph: Graph, { split, replicas, threads }: PlanOptions): Plan {
  const live = liveNodes(graph);
  const perReplica = replicaValues(graph, live, split);
  const nodes = scheduleByScope(live, (name) => perReplica.has(name));
  const storages: Storage[] = [];
  const storageOf = new Map<string, Storage>();
  const reads = readTimes(graph, nodes, perReplica);
  const inPlace = updatesInPlace(graph, nodes, reads);

  const addStorage = (kind: Storage['kind'], bytes: number, initial: Storage['initial'], now: number): Storage => {
    const storage = { kind, bytes, initial, first: now, last: now, address: -1 };
    storages.push(storage);
    return storage;
  };
  const bytesOf = (name: string): number => 4 * numElements(valueOf(graph, name).type.shape);
  const kindOf = (name: string) => (perReplica.has(name) ? 'replica' : 'shared');
  const use = (name: string, now: number): Storage => {
    const storage = present(storageOf.get(name), `memory of "${name}"`);
    storage.last = Math.max(storage.last, now);
    return storage;
  };
  const operand = (name: string, now: number): Operand => {
    const { shape } = valueOf(graph, name).type;
    return { region: whole(use(name, now)), shape, count: numElements(shape) };
  };
  const table = (words: readonly number[]): Region =>
    whole(addStorage('persistent', 4 * words.length, Int32Array.from(words), 0));

  for (const value of graph.values.values()) {
    if (value.source.kind === 'node') continue;
    const initial = initialData(value);
    const kind = initial === null ? kindOf(value.name) : 'persistent';
    storageOf.set(value.name, addStorage(kind, bytesOf(value.name), initial, -1));
  }

  const steps: Step[] = [];
  for (const [now, node] of nodes.entries()) {
    if (isView(node, perReplica)) {
      storageOf.set(node.outputs[0]!, use(node.inputs[0]!, now));
      continue;
    }
    const inputs = node.inputs.map((input) => operand(input, now));
    for (const output of node.outputs) {
      const variable = inPlace.get(output);
      const taken = node.outputs.map((other) => storageOf.get(other));
      const storage =
        (variable === undefined ? null : use(variable, now)) ??
        overwritable(node, now, reads)
          .map((input) => use(input, now))
          .find(({ kind, bytes }) => kind === kindOf(output) && bytes === bytesOf(output)) ??
        addStorage(kindOf(output), bytesOf(output), null, now);
      storageOf.set(output, taken.includes(storage) ? addStorage(kindOf(output), bytesOf(output), null, now) : storage);
    }
    const outputs = node.outputs.map((output) => operand(output, now));
    const written = new Set(outputs.map(({ region }) => region.storage));
    const kernelNode: KernelNode<FloatOp> = {
      inputs,
      outputs,
      // Pairs with the kernel of the same op; the table's types guarantee it.
      attrs: node.attrs,
      replicas,
      table,
      temporary(bytes) {
        const storage = addStorage(kindOf(node.outputs[0]!), bytes, null, now);
        written.add(storage);
        return whole(storage);
      },
    };
    const phases = kernelOf(node.op).lower(kernelNode);
    steps.push({ scope: perReplica.has(node.outputs[0]!) ? TEAM : ALL, phases, written });
  }

  const outputs = new Map(graph.outputs.map((name) => [name, use(name, Infinity)] as const));
  steps.push(...finalCopies());

  /** Old values that outlive their variable are saved first; then the variables take the new ones. */
  function finalCopies(): readonly Step[] {
    const pending = graph.updates.filter(({ value }) => !inPlace.has(value) || inPlace.get(value) === undefined);
    const changing = new Set(pending.map(({ variable }) => present(storageOf.get(variable), variable)));
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
      const to = addStorage('shared', storage.bytes, null, nodes.length);
      to.last = Infinity;
      copy(storage, to);
      return to;
    };
    for (const [name, storage] of outputs) outputs.set(name, saved(storage));
    const values = pending.map(({ value }) => saved(use(value, Infinity)));
    pending.forEach(({ variable }, index) => copy(values[index]!, present(storageOf.get(variable), variable)));
    return copies;
  }

  // Memory: persistent pieces, the shared arena, one arena for each replica, scratch, programs.
  let end = BARRIERS + (replicas + 1) * ALIGNMENT;
  const reserve = (bytes: number): number => {
    const address = end;
    end += align(bytes);
    return address;
  };
  for (const storage of storages) {
    if (storage.kind === 'persistent') storage.address = reserve(storage.bytes);
  }
  const placeArena = (kind: 'shared' | 'replica', base: (bytes: number) => number): number => {
    const members = storages.filter((storage) => storage.kind === kind);
    const { offsets, bytes } = placeBlocks(members);
    const start = base(bytes);
    members.forEach((storage, index) => (storage.address = start + offsets[index]!));
    return bytes;
  };
  placeArena('shared', reserve);
  const replicaBytes = placeArena('replica', () => 0);
  const replicaBase = reserve(replicas * replicaBytes);
  const addressOf = ({ storage, offset, replica }: Region, running: number): number => {
    const arena = storage.kind === 'replica' ? replicaBase + (replica ?? running) * replicaBytes : 0;
    return arena + storage.address + offset;
  };

  const scratchBytes = align(
    Math.max(64, ...steps.flatMap(({ phases }) => phases.flat().map((instruction) => instruction.scratchBytes ?? 0))),
  );
  const scratch = { address: reserve(threads * scratchBytes), bytes: scratchBytes };
  const programWords = Array.from({ length: replicas }, (_, replica) =>
    encode(steps, (region) => addressOf(region, replica), {
      [ALL]: BARRIERS,
      [TEAM]: BARRIERS + (replica + 1) * ALIGNMENT,
    }),
  );
  const programs = programWords.map((words) => reserve(4 * words.length));

  const pieces = (name: string, storage: Storage): readonly number[] =>
    Array.from({ length: perReplica.has(name) ? replicas : 1 }, (_, replica) => addressOf(whole(storage), replica));

  return {
    memoryBytes: end,
    control: CONTROL,
    programs,
    scratch,
    inputs: new Map(graph.inputs.map((name) => [name, pieces(name, storageOf.get(name)!)])),
    outputs: new Map([...outputs].map(([name, storage]) => [name, pieces(name, storage)])),
    variables: new Map(
      [...graph.values.values()].filter(isVariable).map(({ name }) => [name, storageOf.get(name)!.address]),
    ),
    initialize(memory) {
      for (const { address, initial } of storages) {
        if (initial instanceof Float32Array) new Float32Array(memory, address, initial.length).set(initial);
        if (initial instanceof Int32Array) new Int32Array(memory, address, initial.length).set(initial);
      }
      programWords.forEach((words, replica) => new Int32Array(memory, programs[replica], words.length).set(words));
    },
  };
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
      for (const { code, args } of phase) {
        const values = args.map((arg) => (typeof arg === 'number' ? arg : addressOf(arg)));
        words.push(code, scope, values.length, ...values);
      }
    }
  }
  barrier(ALL);
  words.push(END, ALL, 0);
  return Int32Array.from(words);
}

function overlap(a: readonly Span[], b: readonly Span[]): boolean {
  return a.some((left) => b.some((right) => left.start < right.end && right.start < left.end));
}
