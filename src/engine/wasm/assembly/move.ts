/** Moving values without computing. */
import { cut, cutLines, floats, integer, pointer, real } from './arguments';

/** Arguments: to, count, value. */
export function fill(args: usize, part: i32, parts: i32): void {
  const to = pointer(args, 0),
    count = integer(args, 1),
    value = real(args, 2);
  const last = floats(cutLines(count, part + 1, parts));
  for (let at = floats(cutLines(count, part, parts)); at < last; at += 4) store<f32>(to + at, value);
}

/**
 * Walks two arrays over a common grid, as core's `copyStrided` does. Offsets and strides count elements.
 *
 * Arguments: from, to, from offset, to offset, rank, table of sizes, strides of from, strides of to.
 */
export function copyStrided(args: usize, part: i32, parts: i32): void {
  const from = pointer(args, 0),
    to = pointer(args, 1),
    fromOffset = integer(args, 2),
    toOffset = integer(args, 3),
    rank = integer(args, 4),
    sizes = pointer(args, 5);
  const inner = rank - 1;
  const size = integer(sizes, inner),
    fromStep = integer(sizes, rank + inner),
    toStep = integer(sizes, 2 * rank + inner);
  let rows = 1;
  for (let axis = 0; axis < inner; axis++) rows *= integer(sizes, axis);
  const last = cut(rows, part + 1, parts);
  for (let row = cut(rows, part, parts); row < last; row++) {
    let rest = row,
      fromAt = fromOffset,
      toAt = toOffset;
    for (let axis = inner - 1; axis >= 0; axis--) {
      const length = integer(sizes, axis),
        index = rest % length;
      rest /= length;
      fromAt += index * integer(sizes, rank + axis);
      toAt += index * integer(sizes, 2 * rank + axis);
    }
    if (fromStep == 1 && toStep == 1) {
      memory.copy(to + floats(toAt), from + floats(fromAt), floats(size));
      continue;
    }
    for (let index = 0; index < size; index++) {
      store<f32>(to + floats(toAt + index * toStep), load<f32>(from + floats(fromAt + index * fromStep)));
    }
  }
}
