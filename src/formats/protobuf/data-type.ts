/** By the names that TensorFlow prints. @see tensorflow/core/framework/types.proto, DataType */
const dataTypeNumbers = {
  invalid: 0,
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  int16: 5,
  int8: 6,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  qint8: 11,
  quint8: 12,
  qint32: 13,
  bfloat16: 14,
  qint16: 15,
  quint16: 16,
  uint16: 17,
  complex128: 18,
  float16: 19,
  resource: 20,
  variant: 21,
  uint32: 22,
  uint64: 23,
} as const;

type NamedDataType = keyof typeof dataTypeNumbers;

/** An element type; one that is not listed here, references too, goes by its number. */
export type DataType = NamedDataType | `type_${number}`;

const names = new Map(Object.entries(dataTypeNumbers).map(([name, number]) => [number as number, name as DataType]));

export function dataTypeFromNumber(number: number): DataType {
  return names.get(number) ?? `type_${number}`;
}

export function dataTypeToNumber(type: DataType): number {
  return isNamed(type) ? dataTypeNumbers[type] : Number(type.slice('type_'.length));
}

function isNamed(type: DataType): type is NamedDataType {
  return Object.hasOwn(dataTypeNumbers, type);
}
