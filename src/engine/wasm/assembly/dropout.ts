/** Random zeros, each decided by its place: see ops/dropout.ts. */
import { cutLines, floats, integer, pointer, real } from './arguments';

/** As mixBits of core/random.ts. */
// @ts-ignore: decorator
@inline
function mixBits(word: u32): u32 {
  let mixed = (word ^ (word >> 16)) * 0x85ebca6b;
  mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35;
  return mixed ^ (mixed >> 16);
}

/** Arguments: input, key, off or 0, output, count, stream, least number that keeps an element, factor. */
export function dropout(args: usize, part: i32, parts: i32): void {
  const input = pointer(args, 0),
    key = pointer(args, 1),
    off = pointer(args, 2),
    output = pointer(args, 3),
    count = integer(args, 4),
    least = <u32>integer(args, 6),
    factor = real(args, 7);
  const start = cutLines(count, part, parts),
    end = cutLines(count, part + 1, parts);
  if (off != 0 && load<f32>(off) == 1) {
    if (start < end) memory.copy(output + floats(start), input + floats(start), floats(end - start));
    return;
  }
  const first = mixBits(<u32>integer(args, 5) ^ <u32>load<f32>(key)),
    second = mixBits(first ^ <u32>load<f32>(key + 4));
  for (let index = start; index < end; index++) {
    const keeps = mixBits(mixBits(<u32>index ^ first) ^ second) >> 8 >= least;
    store<f32>(output + floats(index), keeps ? load<f32>(input + floats(index)) * factor : 0);
  }
}
