/** Collects TensorFlow nodes under the scope and on the device of one replica, or of what all replicas share. */
import { internal } from '../../core/assert.ts';
import { floatTensor, tensor } from '../../core/tensor.ts';
import type { Shape, Tensor } from '../../core/tensor.ts';
import { T_FLOAT } from '../../ops/bindings.ts';
import type { GraphDefWriter } from '../../ops/define.ts';
import type { AttributeValue } from '../../formats/protobuf/attribute-value.ts';
import type { NodeDef } from '../../formats/protobuf/graph-def.ts';

export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Writer extends GraphDefWriter {
  /** A node on float32 values, named after the node that is being lowered; returns its output 0. */
  float(op: string, inputs: readonly string[], attributes?: Attributes): string;
  /** The same without the attribute T. */
  add(op: string, inputs: readonly string[], attributes: Attributes): string;
  scalar(value: number): string;
  int32(values: readonly number[]): string;
  int32Scalar(value: number): string;
  reshape(input: string, shape: Shape): string;
  transpose(input: string, permutation: readonly number[]): string;
  /** The one result of that key in this scope: what several nodes can share. */
  once<Result extends string | readonly string[]>(key: string, make: () => Result): Result;
  /** Nodes that are added in `body` are named after a node of ours. */
  within<Result>(name: string, body: () => Result): Result;
}

const int32Type: Attributes = { Tshape: { kind: 'type', value: 'int32' } };

export function createWriter(nodes: NodeDef[], taken: Set<string>, scope: string, device: string): Writer {
  const shared = new Map<string, string | readonly string[]>();
  let current = '';

  /** TensorFlow allows fewer characters than we do. */
  const freshName = (wanted: string): string => {
    const base = `${scope}/${wanted}`.replaceAll(/[^A-Za-z0-9_./-]/g, '_');
    let name = base;
    for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
    taken.add(name);
    return name;
  };
  const writer: Writer = {
    node(op, wanted, inputs, attributes) {
      const name = freshName(wanted);
      nodes.push({ name, op, inputs, device, attributes: new Map(Object.entries(attributes)) });
      return name;
    },
    constant(wanted, value) {
      if (value.dtype === 'uint8' || value.dtype === 'int8') internal(`constant "${wanted}" is ${value.dtype}`);
      return writer.node('Const', wanted, [], {
        dtype: { kind: 'type', value: value.dtype },
        value: { kind: 'tensor', value: { kind: 'numeric', type: value.dtype, tensor: value } },
      });
    },
    float: (op, inputs, attributes = {}) => writer.add(op, inputs, { ...T_FLOAT, ...attributes }),
    add: (op, inputs, attributes) => writer.node(op, `${current}/${op}`, inputs, attributes),
    scalar: (value) => constantOnce(floatTensor([], [value])),
    int32: (values) => constantOnce(tensor('int32', [values.length], Int32Array.from(values))),
    int32Scalar: (value) => constantOnce(tensor('int32', [], Int32Array.of(value))),
    reshape: (input, shape) => writer.float('Reshape', [input, writer.int32(shape)], int32Type),
    transpose: (input, permutation) =>
      writer.once(`transpose ${input} ${permutation.join()}`, () =>
        writer.float('Transpose', [input, writer.int32(permutation)], { Tperm: { kind: 'type', value: 'int32' } }),
      ),
    once<Result extends string | readonly string[]>(key: string, make: () => Result): Result {
      const known = shared.get(key);
      if (known !== undefined) return known as Result; // a key always stands for the same kind of result
      const made = make();
      shared.set(key, made);
      return made;
    },
    within(name, body) {
      const outer = current;
      current = name;
      try {
        return body();
      } finally {
        current = outer;
      }
    },
  };
  const constantOnce = (value: Tensor<'float32'> | Tensor<'int32'>): string =>
    writer.once(`${value.dtype} ${value.shape.join()} ${Array.from(value.data).join()}`, () =>
      writer.constant('constant', value),
    );
  return writer;
}
