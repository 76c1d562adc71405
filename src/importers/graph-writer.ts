/** A graph that is being imported: free names, bounded sizes, and what made each value. */
import { internal } from '../core/assert.ts';
import type { Shape } from '../core/tensor.ts';
import { floatTensor, numElements } from '../core/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { ValueRef } from '../ops/define.ts';
import type { Attrs, OpName } from '../ops/index.ts';
import { refuse } from './refusal.ts';

/** Far above what a device or a desk runs. */
const mostElements = 2 ** 26;

export interface Maker {
  readonly op: OpName;
  readonly inputs: readonly ValueRef[];
}

export class GraphWriter {
  readonly builder: GraphBuilder;
  readonly notes = new Set<string>();
  private readonly makers = new Map<string, Maker>();
  private allowance: number;

  /** @param allowance elements that constants may have which are computed, repeated or stretched */
  constructor(builder: GraphBuilder, allowance: number) {
    this.builder = builder;
    this.allowance = allowance;
  }

  /** @throws Refusal when a file asks for more memory than it can mean */
  take(elements: number): void {
    this.allowance -= elements;
    if (!(this.allowance >= 0)) refuse('it makes constants far larger than the file is');
  }

  /** The wanted name, numbered where that is taken. */
  free(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.builder.has(name); count++) name = `${wanted}_${count}`;
    return name;
  }

  addAll<K extends OpName>(op: K, name: string, inputs: readonly ValueRef[], attrs: Attrs[K]): readonly ValueRef[] {
    const outputs = this.builder.node(op, this.free(name), inputs, attrs);
    for (const output of outputs) {
      const { shape } = output.type;
      const isSound = shape.every((size) => Number.isInteger(size) && size > 0) && numElements(shape) <= mostElements;
      if (!isSound) refuse(`its result would be [${shape.join(',')}]; expected 1 to ${mostElements} values`);
      this.makers.set(output.name, { op, inputs });
    }
    return outputs;
  }

  /** Adds a node with one output. */
  add<K extends OpName>(op: K, name: string, inputs: readonly ValueRef[], attrs: Attrs[K]): ValueRef {
    const [output] = this.addAll(op, name, inputs, attrs);
    return output ?? internal(`${op} has no output`);
  }

  /** The op that makes a value, if it is a node's. */
  makerOf(value: ValueRef): Maker | null {
    return this.makers.get(value.name) ?? null;
  }

  /** Numbers that the file does not hold as they are. */
  numbers(name: string, shape: Shape, values: ArrayLike<number>): ValueRef {
    this.take(values.length);
    return this.builder.constant(this.free(name), floatTensor(shape, values));
  }
}
