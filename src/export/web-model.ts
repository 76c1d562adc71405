/** A module for browsers: the model on LiteRT, with the same preparation and the same answers as on a device. */
import { labelsOf } from './answers.ts';
import type { Exported } from './exported.ts';
import { soundFeatures } from './features.ts';
import { ioCode } from './model-io.ts';
import { addFloatEdges } from '../tflite/float-edges.ts';

/** The file for `@litertjs/core`, whose interface takes no int8: floats at its edges, which stand for the same codes. */
export const webFile = ({ bytes }: Exported): Uint8Array => addFloatEdges(bytes, 'model.tflite');

export function webModule(model: Exported): string {
  const { name, input, output, purpose } = model;
  const settings = {
    name,
    task: purpose.task,
    ...{ input, output, labels: labelsOf(model) },
    ...(purpose.targets && { targets: purpose.targets }),
    ...(purpose.decoding && { decoding: purpose.decoding }),
    ...(soundFeatures(purpose) && { features: soundFeatures(purpose) }),
  };
  const toReal = input.quant === null ? 'Float32Array.from(codes)' : 'Float32Array.from(codes, inputReal)';
  const { quant } = output;
  const toCode =
    quant === null
      ? 'Float32Array.from(reals)'
      : `Int32Array.from(reals, (real) => Math.round(real / ${quant.scale}) + ${quant.zeroPoint})`;
  return `/** Runs model.tflite, which lies beside this file, on @litertjs/core. */

export const settings = ${JSON.stringify(settings, null, 2)};

${ioCode(model).javascript}

/**
 * Loads the model.
 *
 * @param litert the module \`@litertjs/core\`, after its \`loadLiteRt\`
 * @param file bytes of model.tflite, or where it is
 */
export async function open(litert, file = new URL('model.tflite', import.meta.url).href) {
  const model = await litert.loadAndCompile(file, { accelerator: 'wasm', cpuOptions: { numThreads: 1 } });
  return {
    /** @returns the output for an input, as the device takes and gives them */
    async run(codes) {
      const input = litert.Tensor.fromTypedArray(${toReal}, settings.input.shape);
      try {
        const [output] = await model.run([input]);
        const reals = output.toTypedArray();
        output.delete();
        return ${toCode};
      } finally {
        input.delete();
      }
    },
    close: () => model.delete(),
  };
}
`;
}

/** The script that runs the test vectors. */
export const webCheck = (): string => `/** Runs the test vectors of ../test_vectors.json on @litertjs/core. */
import { open } from './model.js';

/**
 * LiteRT rounds in float32 where a microcontroller rounds integers, so the outputs of both are in the vectors. A browser
 * with relaxed SIMD may differ from LiteRT's by one step.
 *
 * @param litert the module \`@litertjs/core\`, after its \`loadLiteRt\`
 * @param vectors the parsed test_vectors.json
 * @param file bytes of model.tflite, or where it is; left out, it is beside this file
 * @returns how many outputs differ: values from LiteRT's (null where it gave none), values from the microcontroller's,
 *   and the largest difference to LiteRT's; \`passed\` if none differs from LiteRT's
 */
export async function check(litert, { vectors }, file) {
  const model = await open(litert, file);
  let [values, fromLitert, fromDevice, largest] = [0, 0, 0, 0];
  try {
    for (const { input, output, litert: expected } of vectors) {
      const found = await model.run(input);
      values += found.length;
      for (const [at, value] of found.entries()) {
        if (value !== output[at]) fromDevice++;
        if (expected === null || value === expected[at]) continue;
        fromLitert++;
        largest = Math.max(largest, Math.abs(value - expected[at]));
      }
    }
  } finally {
    model.close();
  }
  const isKnown = vectors.every(({ litert: expected }) => expected !== null);
  return { values, fromLitert: isKnown ? fromLitert : null, fromDevice, largest, passed: isKnown && fromLitert === 0 };
}
`;
