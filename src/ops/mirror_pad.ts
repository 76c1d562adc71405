import { strides, tensor } from '../core/tensor.ts';
import { numberOption, wholeNumbers } from './bindings.ts';
import { ShapeError } from './define.ts';
import { movementOp } from './movement.ts';
import type { PadAttrs } from './pad.ts';
import { paddedShape, pairs } from './pad.ts';

export interface MirrorPadAttrs extends PadAttrs {
  /** `reflect` leaves the edge out: 3 2 | 1 2 3 | 2 1; `symmetric` repeats it: 2 1 | 1 2 3 | 3 2. */
  readonly mode: 'reflect' | 'symmetric';
}

const modes = ['reflect', 'symmetric'] as const;

/** The input in a frame of its own mirror images. */
export const mirrorPad = movementOp<'mirror_pad', MirrorPadAttrs>({
  name: 'mirror_pad',
  shape(input, attrs) {
    const shape = paddedShape(input, attrs);
    const edge = attrs.mode === 'reflect' ? 1 : 0;
    if (attrs.paddings.some((pair, axis) => Math.max(...pair) > input[axis]! - edge)) {
      throw new ShapeError(`paddings are [${attrs.paddings.join('],[')}]: more than [${input.join(',')}] can mirror`);
    }
    return shape;
  },
  walk(input, attrs) {
    const own = strides(input);
    const edge = attrs.mode === 'reflect' ? 0 : 1;
    return {
      sizes: paddedShape(input, attrs),
      offsets: attrs.paddings.map(([before], axis) => (index) => {
        const at = index - before;
        const last = input[axis]! - 1;
        return own[axis]! * (at < 0 ? -at - edge : at > last ? 2 * last - at + edge : at);
      }),
    };
  },
  file: {
    builtinCode: 100,
    optionsType: 77,
    fields: [{ id: 0, name: 'mode', type: 'byte', default: 0 }],
    version: ({ inputs: [input] }) =>
      input!.type.dtype === 'int8' ? { version: 2, minimumRuntime: '2.3.0' } : { version: 1, minimumRuntime: '1.13.1' },
    parameterPositions: [1],
    encode: ({ attrs: { mode, paddings } }) => ({
      options: { mode: modes.indexOf(mode) },
      parameters: [
        {
          position: 1,
          name: 'paddings',
          tensor: tensor('int32', [paddings.length, 2], Int32Array.from(paddings.flat())),
        },
      ],
    }),
    decode({ options, parameters: [paddings] }) {
      const mode = modes[numberOption(options, 'mode')];
      if (mode === undefined) throw new ShapeError(`mode is ${numberOption(options, 'mode')}; expected 0 or 1`);
      return { mode, paddings: pairs(wholeNumbers(paddings, 'the paddings')) };
    },
  },
});
