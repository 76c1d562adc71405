import { perTensor, quantizeValue } from '../core/affine.ts';
import { integerRanges } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import type { Graph } from '../graph/graph.ts';
import { consumers, valueOf } from '../graph/graph.ts';
import type { ModelInput } from '../measurements/layers.ts';
import { createHistogram } from './histogram.ts';
import { createClipping, createCodeCounts } from './layer-statistics.ts';

/** Whether the real values that a model is given fill the range of its input. */
export function watchInput(graph: Graph) {
  const { scale, zeroPoint, codes } = inputCodes(graph);
  const counts = createCodeCounts(codes, zeroPoint, 1);
  const values = createHistogram(scale);
  const clipping = createClipping({
    min: scale * (codes.min - zeroPoint - 0.5),
    max: scale * (codes.max - zeroPoint + 0.5),
  });
  return {
    add(reals: Float32Array): void {
      values.add(reals);
      clipping.add(reals, reals);
      counts.add(Int32Array.from(reals, (real) => quantizeValue(real, scale, zeroPoint, codes)));
    },
    result(): ModelInput {
      const { below, above } = clipping.result() ?? internal('nothing was clipped or not');
      return {
        min: scale * (codes.min - zeroPoint),
        max: scale * (codes.max - zeroPoint),
        values: values.result(),
        clipped: { below, above },
        headroom: counts.headroom(),
      };
    },
  };
}

/** Those of the first integers: a model that takes floats makes them itself. */
function inputCodes(graph: Graph) {
  const name = graph.inputs[0] ?? internal('the model has no input');
  const readers = [name, ...(consumers(graph).get(name) ?? []).map((reader) => reader.name)];
  for (const reader of readers) {
    const { type, quant } = valueOf(graph, reader);
    if (quant === null || (type.dtype !== 'int8' && type.dtype !== 'uint8')) continue;
    return { ...perTensor(quant, reader), codes: integerRanges[type.dtype] };
  }
  return internal(`"${name}" is never quantized`);
}
