/** Reading an instruction's arguments, and cutting work into parts. */
export { integer, pointer } from '../../../wasm/assembly/arguments';

// @ts-ignore: decorator
@inline
export function real(args: usize, index: i32): f32 {
  return load<f32>(args + ((<usize>index) << 2));
}

/** Byte size of `count` float32 values. */
// @ts-ignore: decorator
@inline
export function floats(count: i32): usize {
  return (<usize>count) << 2;
}

/** The first of `count` items that belongs to `part` of `parts`; the end of a part is the start of the next. */
// @ts-ignore: decorator
@inline
export function cut(count: i32, part: i32, parts: i32): i32 {
  return <i32>(((<i64>count) * (<i64>part)) / (<i64>parts));
}

/** As `cut`, in whole cache lines of 16 float32 values, so that two threads never write one line. */
// @ts-ignore: decorator
@inline
export function cutLines(count: i32, part: i32, parts: i32): i32 {
  return min(count, cut((count + 15) >> 4, part, parts) << 4);
}
