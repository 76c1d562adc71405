/** Inference-only ops that move values by a rule for each axis: slices, tiles, gathers, mirrored frames, blocks. */
import type { Shape } from '../core/tensor.ts';
import { numElements } from '../core/tensor.ts';
import type { InferenceOpDef, IntegerData, TfliteBinding } from './define.ts';
import { ShapeError, defineInferenceOp } from './define.ts';

/** Reads the output in order: its element at [i, j, ...] is the input's element number offsets[0](i) + offsets[1](j) + ... */
export interface Walk {
  readonly sizes: Shape;
  readonly offsets: readonly ((index: number) => number)[];
}

interface Movement<Name extends string, Attrs> {
  readonly name: Name;
  /** @throws ShapeError when the attributes do not fit the input */
  readonly shape: (input: Shape, attrs: Attrs) => Shape;
  /** As many steps as the output has elements; the axes may be finer than those of its shape. */
  readonly walk: (input: Shape, attrs: Attrs) => Walk;
  /** How the file says it; under a name of its own, since rows that are read for `tflite` train again when files change. */
  readonly file: TfliteBinding<Attrs>;
}

export function movementOp<const Name extends string, Attrs>(
  movement: Movement<Name, Attrs>,
): InferenceOpDef<Name, Attrs> {
  return defineInferenceOp<Name, Attrs>({
    name: movement.name,
    operands: [{ name: 'input', role: 'activation' }],
    quant: { kind: 'same_scale', exact: true },
    infer([input], attrs) {
      const shape = movement.shape(input!.shape, attrs);
      if (!shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
        throw new ShapeError(`the output would be [${shape.join(',')}], made of [${input!.shape.join(',')}]`);
      }
      return [{ dtype: input!.dtype, shape }];
    },
    int8({ inputs: [input], attrs }) {
      const walk = movement.walk(input!.type.shape, attrs);
      return ([x], [y]) => moveAlong(walk, x!, y!);
    },
    tflite: movement.file,
  });
}

/** Fills the target, element after element. */
export function moveAlong({ sizes, offsets }: Walk, source: IntegerData, target: IntegerData): void {
  const count = numElements(sizes);
  const index = new Array<number>(sizes.length).fill(0);
  const terms = offsets.map((offset) => offset(0));
  let from = terms.reduce((total, term) => total + term, 0);
  for (let at = 0; at < count; at++) {
    target[at] = source[from]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! === sizes[axis]!) index[axis] = 0;
      const term = offsets[axis]!(index[axis]!);
      from += term - terms[axis]!;
      terms[axis] = term;
      if (index[axis]! > 0) break;
    }
  }
}
