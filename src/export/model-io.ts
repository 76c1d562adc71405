/** From what is measured to the model's input, and from its output to an answer: C++ and JavaScript from one source. */
import { integerRanges, quantizeValue } from '../core/affine.ts';
import { internal } from '../core/assert.ts';
import { pixelNormalization, realValues } from '../data/batches.ts';
import { frontendCode, frontendUnit } from '../data/features/micro-frontend.ts';
import { answerCode } from './answers.ts';
import { cppHeader, cppType } from './cpp.ts';
import type { DeviceCode } from './device-code.ts';
import { measuredInput } from './device-code.ts';
import type { Exported } from './exported.ts';
import { soundFeatures } from './features.ts';
import { arrayLines, cFloat } from './literals.ts';
import type { ExportedModel, ExportedPort } from './model.ts';

export function modelIoHeader(model: Exported): string {
  const includes = ['<math.h>', '<stddef.h>', '<stdint.h>', 'model_settings.h'];
  const says = 'From what is measured to the input of the model, and from its output to an answer.';
  return cppHeader(model, 'model_io.h', says, includes, `${ioCode(model).c}\n\n`);
}

/** All functions, without what surrounds them. */
export function ioCode(model: ExportedModel): DeviceCode {
  const parts = [inputCode(model), realCode('Input', model.input), realCode('Output', model.output)];
  const all = [...parts, ...(model.decision === null ? [] : [thresholdCode(model)]), answerCode(model)];
  return {
    c: all.map(({ c }) => c).join('\n\n'),
    javascript: all.map(({ javascript }) => javascript).join('\n\n'),
  };
}

function inputCode(model: ExportedModel): DeviceCode {
  const { input, purpose } = model;
  if (purpose.channels === undefined) return pixelCode(input, realValues(pixelNormalization(purpose.normalize)));
  const { scale, zeroPoint } = input.quant ?? { scale: null, zeroPoint: null };
  const port = { dtype: input.dtype, scale, zeroPoint };
  const frontend = soundFeatures(purpose)?.kind === 'micro_frontend' ? [frontendInput(input)] : [];
  const measured = measuredInput(purpose.channels, port, {
    ...{ input: 'EncodeMeasured', mean: 'kMeasuredMean', deviation: 'kMeasuredDeviation' },
  });
  const inJavascript = measured.javascript
    .replaceAll('kMeasured', 'measured')
    .replace('function EncodeMeasured', 'export function encodeMeasured');
  const head = 'The input of a measured value; the channel is its index along the last axis.';
  return join({ c: `// ${head}\n${measured.c}`, javascript: `/** ${head} */\n${inJavascript}` }, ...frontend);
}

const join = (...codes: readonly DeviceCode[]): DeviceCode => ({
  c: codes.map(({ c }) => c).join('\n\n'),
  javascript: codes.map(({ javascript }) => javascript).join('\n\n'),
});

/** @param reals of the pixels 0 .. 255 */
function pixelCode({ dtype, quant }: ExportedPort, reals: Float32Array): DeviceCode {
  const type = cppType(dtype);
  const inputs = Array.from(reals, (real) =>
    quant === null || dtype === 'float32'
      ? real
      : quantizeValue(real, quant.scale, quant.zeroPoint, integerRanges[dtype]),
  );
  const [first = internal('no pixel')] = inputs;
  const head = 'The input of a pixel 0 .. 255 of one channel.';
  if (quant !== null && inputs.every((code, pixel) => code === pixel + first)) {
    const shift = first === 0 ? '' : first < 0 ? ` - ${-first}` : ` + ${first}`;
    return {
      c: `// ${head}
inline ${type} EncodePixel(uint8_t pixel) { return static_cast<${type}>(pixel${shift}); }`,
      javascript: `/** ${head} */\nexport function encodePixel(pixel) {\n  return pixel${shift};\n}`,
    };
  }
  const literals = inputs.map((value) => (quant === null ? cFloat(value) : String(value)));
  return {
    c: `inline constexpr ${type} kPixelInputs[256] = {\n${arrayLines(literals, '    ')}\n};

// ${head}
inline ${type} EncodePixel(uint8_t pixel) { return kPixelInputs[pixel]; }`,
    javascript: `const pixelInputs = [\n${arrayLines(inputs.map(String), '  ')}\n];

/** ${head} */\nexport function encodePixel(pixel) {\n  return pixelInputs[pixel];\n}`,
  };
}

/** Of what FrontendProcessSamples gives, in integers alone where the device's own formula gives the same codes. */
function frontendInput({ dtype, quant }: ExportedPort): DeviceCode {
  const type = cppType(dtype);
  const head = 'The input of a value of the front end.';
  const codeOf = (value: number): number =>
    quant === null || dtype === 'float32'
      ? Math.fround(value * frontendUnit)
      : quantizeValue(Math.fround(value * frontendUnit), quant.scale, quant.zeroPoint, integerRanges[dtype]);
  const areEqual = Array.from({ length: 2 ** 16 }, (_, value) => value).every(
    (value) => codeOf(value) === frontendCode(value),
  );
  if (areEqual) {
    return {
      c: `// ${head}
inline ${type} EncodeFrontend(uint16_t value) {
  const int32_t code = (256 * static_cast<int32_t>(value) + 333) / 666 - 128;
  return static_cast<${type}>(code > 127 ? 127 : code);
}`,
      javascript: `/** ${head} */\nexport function encodeFrontend(value) {
  return Math.min(127, Math.floor((256 * value + 333) / 666) - 128);
}`,
    };
  }
  return {
    c: `// ${head}
inline ${type} EncodeFrontend(uint16_t value) {
  return EncodeMeasured(static_cast<float>(value) * ${cFloat(frontendUnit)}, 0);
}`,
    javascript: `/** ${head} */\nexport function encodeFrontend(value) {\n  return encodeMeasured(value * ${frontendUnit}, 0);\n}`,
  };
}

function realCode(role: 'Input' | 'Output', { quant }: ExportedPort): DeviceCode {
  const port = role === 'Input' ? 'input' : 'output';
  return {
    c: `// The real value of an ${port}.
inline float ${role}Real(${role}Type value) {
  return ${quant === null ? 'value' : `k${role}Scale * static_cast<float>(value - k${role}ZeroPoint)`};
}`,
    javascript: `/** The real value of an ${port}. */
export function ${port}Real(value) {
  return ${quant === null ? 'value' : `Math.fround(${quant.scale} * (value - ${quant.zeroPoint}))`};
}`,
  };
}

function thresholdCode({ decision }: ExportedModel): DeviceCode {
  const { code, real } = decision ?? internal('a task without a threshold');
  return {
    c:
      code === null
        ? 'inline bool ReachesThreshold(OutputType value) { return value >= kThreshold; }'
        : `inline bool ReachesThreshold(OutputType value) {
  const int code = value;
  return code >= kThresholdCode;
}`,
    javascript: `function reachesThreshold(value) {\n  return value >= ${code ?? Math.fround(real)};\n}`,
  };
}
