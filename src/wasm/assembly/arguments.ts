/** Reading an instruction's arguments. */

// @ts-ignore: decorator
@inline
export function integer(args: usize, index: i32): i32 {
  return load<i32>(args + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
export function pointer(args: usize, index: i32): usize {
  return <usize>load<u32>(args + ((<usize>index) << 2));
}
