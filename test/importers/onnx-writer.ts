/** Small ONNX files by hand. Field numbers are those of onnx/onnx.proto. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Shape } from '../../src/core/tensor.ts';
import { numElements } from '../../src/core/tensor.ts';

export type AttributeValue = number | string | readonly number[] | { readonly float: number };

export interface WrittenNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: { readonly [name: string]: AttributeValue };
}

export interface WrittenTensor {
  readonly shape: Shape;
  /** TensorProto.DataType. */
  readonly dataType: number;
  readonly raw?: Uint8Array;
  readonly floats?: readonly number[];
  readonly external?: { readonly [key: string]: string };
}

export interface WrittenModel {
  readonly nodes: readonly WrittenNode[];
  readonly inputs: { readonly [name: string]: readonly (number | string)[] };
  readonly outputs: readonly string[];
  readonly weights?: { readonly [name: string]: WrittenTensor };
  readonly opset?: number;
  readonly inputType?: number;
}

/** Random-looking floats. */
export function weights(shape: Shape, scale = 0.3): WrittenTensor {
  const data = Float32Array.from(
    { length: numElements(shape) },
    (_, index) => scale * Math.sin(index * 1.7 + shape.length),
  );
  return { shape, dataType: 1, raw: new Uint8Array(data.buffer) };
}

export function integers(...values: readonly number[]): WrittenTensor {
  const data = BigInt64Array.from(values.map(BigInt));
  return { shape: [values.length], dataType: 7, raw: new Uint8Array(data.buffer) };
}

export function writeOnnx({
  nodes,
  inputs,
  outputs,
  weights: tensors = {},
  opset = 17,
  inputType = 1,
}: WrittenModel): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(8);
  message(writer, 7, () => {
    for (const node of nodes) message(writer, 1, () => writeNode(writer, node));
    for (const [name, tensor] of Object.entries(tensors)) message(writer, 5, () => writeTensor(writer, name, tensor));
    for (const [name, shape] of Object.entries(inputs))
      message(writer, 11, () => writePort(writer, name, inputType, shape));
    for (const name of outputs) message(writer, 12, () => writePort(writer, name, 1, []));
  });
  message(writer, 8, () => writer.tag(2, WireType.Varint).int64(opset));
  return writer.finish();
}

function message(writer: BinaryWriter, number: number, write: () => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

const text = (writer: BinaryWriter, number: number, value: string): void =>
  void writer.tag(number, WireType.LengthDelimited).string(value);

function writeNode(
  writer: BinaryWriter,
  { op, inputs, outputs, name = '', domain = '', attributes = {} }: WrittenNode,
): void {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, name);
  text(writer, 4, op);
  for (const [key, value] of Object.entries(attributes)) {
    message(writer, 5, () => {
      text(writer, 1, key);
      writeValue(writer, value);
    });
  }
  if (domain !== '') text(writer, 7, domain);
}

function writeValue(writer: BinaryWriter, value: AttributeValue): void {
  const type = (number: number): void => void writer.tag(20, WireType.Varint).int32(number);
  if (typeof value === 'number') {
    writer.tag(3, WireType.Varint).int64(value);
    type(2);
  } else if (typeof value === 'string') {
    text(writer, 4, value);
    type(3);
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else {
    for (const one of value) writer.tag(8, WireType.Varint).int64(one);
    type(7);
  }
}

function writeTensor(
  writer: BinaryWriter,
  name: string,
  { shape, dataType, raw, floats, external }: WrittenTensor,
): void {
  for (const size of shape) writer.tag(1, WireType.Varint).int64(size);
  writer.tag(2, WireType.Varint).int32(dataType);
  for (const value of floats ?? []) writer.tag(4, WireType.Bit32).float(value);
  text(writer, 8, name);
  if (raw !== undefined) writer.tag(9, WireType.LengthDelimited).bytes(raw);
  if (external === undefined) return;
  for (const [key, value] of Object.entries(external)) {
    message(writer, 13, () => {
      text(writer, 1, key);
      text(writer, 2, value);
    });
  }
  writer.tag(14, WireType.Varint).int32(1);
}

function writePort(writer: BinaryWriter, name: string, dataType: number, shape: readonly (number | string)[]): void {
  text(writer, 1, name);
  message(writer, 2, () =>
    message(writer, 1, () => {
      writer.tag(1, WireType.Varint).int32(dataType);
      message(writer, 2, () => {
        for (const size of shape) {
          message(writer, 1, () => {
            if (typeof size === 'number') writer.tag(1, WireType.Varint).int64(size);
            else text(writer, 2, size);
          });
        }
      });
    }),
  );
}
