/** Sums over one axis of [outer, reduced, inner], in float64 and rounded once. */
import { cut, floats, integer, pointer } from './arguments';

/** Rows that together fill half of a first-level cache: all column groups pass over them before the next rows come. */
// @ts-ignore: decorator
@inline
export function rowsInCache(columns: i32): i32 {
  return max(1, 4096 / columns);
}

// @ts-ignore: decorator
@inline
export function lowHalf(value: v128): v128 {
  return f64x2.promote_low_f32x4(value);
}

// @ts-ignore: decorator
@inline
export function highHalf(value: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(value, value, 1, 1));
}

/** sums[c] += the sum of column c over the rows; `sums` holds float64. */
function addColumns(from: usize, numRows: i32, columns: i32, sums: usize): void {
  const rowBytes = floats(columns), block = rowsInCache(columns);
  for (let first = 0; first < numRows; first += block) {
    const start = from + (<usize>first) * rowBytes;
    const end = start + (<usize>min(block, numRows - first)) * rowBytes;
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      const to = sums + ((<usize>column) << 3);
      let low = v128.load(to), high = v128.load(to, 16);
      for (let at = start; at < end; at += rowBytes) {
        const value = v128.load(at + floats(column));
        low = f64x2.add(low, lowHalf(value));
        high = f64x2.add(high, highHalf(value));
      }
      v128.store(to, low);
      v128.store(to, high, 16);
    }
    for (; column < columns; column++) {
      const to = sums + ((<usize>column) << 3);
      let sum = load<f64>(to);
      for (let at = start; at < end; at += rowBytes) sum += <f64>load<f32>(at + floats(column));
      store<f64>(to, sum);
    }
  }
}

/** Arguments: input, output, outer, reduced, inner, divisor (1 for a sum). Cut over `outer`. */
export function reduce(args: usize, part: i32, parts: i32, scratch: usize): void {
  const input = pointer(args, 0), output = pointer(args, 1);
  const outer = integer(args, 2), reduced = integer(args, 3), inner = integer(args, 4);
  const divisor = <f64>integer(args, 5);
  const last = cut(outer, part + 1, parts);
  for (let row = cut(outer, part, parts); row < last; row++) {
    memory.fill(scratch, 0, (<usize>inner) << 3);
    addColumns(input + floats(row * reduced * inner), reduced, inner, scratch);
    const to = output + floats(row * inner);
    for (let index = 0; index < inner; index++) {
      store<f32>(to + floats(index), <f32>(load<f64>(scratch + ((<usize>index) << 3)) / divisor));
    }
  }
}

/** One partial sum for each slice of the rows. Arguments: input, partial [slices][columns], rows, columns, slices. */
export function reduceSlices(args: usize, part: i32, parts: i32, scratch: usize): void {
  const input = pointer(args, 0), partial = pointer(args, 1);
  const rows = integer(args, 2), columns = integer(args, 3), slices = integer(args, 4);
  const last = cut(slices, part + 1, parts);
  for (let slice = cut(slices, part, parts); slice < last; slice++) {
    const first = cut(rows, slice, slices);
    memory.fill(scratch, 0, (<usize>columns) << 3);
    addColumns(input + floats(first * columns), cut(rows, slice + 1, slices) - first, columns, scratch);
    const to = partial + floats(slice * columns);
    for (let index = 0; index < columns; index++) {
      store<f32>(to + floats(index), <f32>load<f64>(scratch + ((<usize>index) << 3)));
    }
  }
}
