/** A model with every op that only files made by others have, and with values that have no scale. */
import { tensor } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/tensor.ts';
import type { GraphBuilder } from '../../src/graph/builder.ts';
import { buildGraph } from '../../src/graph/builder.ts';
import { verify } from '../../src/graph/verify.ts';
import type { ValueRef } from '../../src/ops/define.ts';
import type { Attrs, OpName } from '../../src/ops/index.ts';
import { writeTflite } from '../../src/tflite/write.ts';

const quant = { kind: 'per_tensor', scale: 0.5, zeroPoint: -3 } as const;
const logits = { kind: 'per_tensor', scale: 0.0625, zeroPoint: 127 } as const;

type Params = typeof quant | typeof logits | null;

export function inferenceModel(): Uint8Array {
  const builder = buildGraph('main', 'int8');
  let count = 0;
  const all = <K extends OpName>(op: K, inputs: readonly ValueRef[], attrs: Attrs[K], params: Params = quant) =>
    builder.node(op, `${op}_${count++}`, inputs, attrs, params);
  const one = <K extends OpName>(op: K, inputs: readonly ValueRef[], attrs: Attrs[K], params: Params = quant) =>
    all(op, inputs, attrs, params)[0]!;
  const image = builder.input('image', { dtype: 'int8', shape: [1, 4, 6, 2] }, quant);
  const outputs = [
    ...blocks(one, image),
    ...parts(one, all, image),
    ...values(builder, one, image),
    ...unscaled(builder, one),
  ];
  return writeTflite(verify(builder.finish(outputs)));
}

type One = <K extends OpName>(op: K, inputs: readonly ValueRef[], attrs: Attrs[K], params?: Params) => ValueRef;
type All = <K extends OpName>(op: K, inputs: readonly ValueRef[], attrs: Attrs[K]) => readonly ValueRef[];

function blocks(one: One, image: ValueRef): readonly ValueRef[] {
  const frame = [
    [1, 1],
    [0, 0],
  ] as const;
  const batch = one('space_to_batch_nd', [image], { blockSizes: [2, 3], frame });
  const whole = one('batch_to_space_nd', [batch], { blockSizes: [2, 3], frame });
  const deep = one('space_to_depth', [whole], { blockSize: 2 });
  return [one('depth_to_space', [deep], { blockSize: 2 })];
}

function parts(one: One, all: All, image: ValueRef): readonly ValueRef[] {
  const mirrored = one('mirror_pad', [image], {
    mode: 'reflect',
    paddings: [
      [0, 0],
      [1, 2],
      [0, 1],
      [0, 0],
    ],
  });
  const cut = one('slice', [mirrored], { begin: [0, 1, 0, 0], size: [-1, 3, 4, -1] });
  const chosen = one('gather', [cut], { axis: 2, indices: [3, 0], indicesShape: [2] });
  const [first, second] = all('unpack', [chosen], { axis: 3, count: 2 });
  const packed = one('pack', [first!, second!, first!], { axis: 1 });
  const row = one('expand_dims', [one('reduce_max', [packed], { axes: [1, 3], keepDims: false })], { axis: 0 });
  const tiled = one('tile', [row], { multiples: [2, 1, 3] });
  const wide = one('broadcast_to', [row], { shape: [2, 1, 3] });
  return [one('maximum', [one('minimum', [tiled, tiled], {}), tiled], {}), wide];
}

function values(builder: GraphBuilder, one: One, image: ValueRef): readonly ValueRef[] {
  const slopes = builder.constant('slopes', tensor('int8', [1, 1, 2], Int8Array.of(-40, 90)), quant);
  const bent = one('abs', [one('prelu', [image, slopes], {})], {});
  const least = one('reduce_min', [bent], { axes: [1], keepDims: true });
  const filter = builder.constant(
    'filter',
    tensor(
      'int8',
      [1, 3, 3, 2],
      Int8Array.from({ length: 18 }, (_, index) => index * 9 - 80),
    ),
    { kind: 'per_tensor', scale: 0.01, zeroPoint: 0 },
  );
  // The size of the formula, the only one on which TensorFlow Lite's two kernels agree.
  const outputSize = [9, 13] as const;
  const turned = one('transpose_conv', [image, filter], {
    ...{ padding: { kind: 'valid' }, strides: [2, 2], outputSize, activation: 'none' },
  });
  const classes = one('log_softmax', [least], {}, logits);
  const best = one('arg_max', [classes], { axis: 3 }, null);
  return [turned, best, one('arg_min', [classes], { axis: 2 }, null)];
}

function unscaled(builder: GraphBuilder, one: One): readonly ValueRef[] {
  const shape: Shape = [2, 3];
  const codes = builder.input('codes', { dtype: 'int8', shape });
  const counts = builder.input('counts', { dtype: 'int32', shape });
  const means = one('mean', [counts], { axes: [1], keepDims: true }, null);
  const products = one('reduce_prod', [counts], { axes: [1], keepDims: true }, null);
  return [
    one('concatenation', [means, products], { axis: 1 }, null),
    one('mean', [codes], { axes: [0], keepDims: false }, null),
    one('transpose', [codes], { permutation: [1, 0] }, null),
  ];
}
