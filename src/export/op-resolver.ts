/** The operators of the file and no others: each one linked costs flash. */
import { cppHeader } from './cpp.ts';
import type { Exported } from './exported.ts';
import { resolverMethods } from './resolver-methods.ts';

export function opResolverHeader(model: Exported): string {
  const { operators } = model;
  const missing = operators.filter((operator) => resolverMethods[operator] === undefined);
  const methods = operators.flatMap((operator) => resolverMethods[operator] ?? []);
  const body = `inline constexpr int kNumOperators = ${operators.length};
${missing.map((operator) => `\n#error "TensorFlow Lite Micro has no kernel for ${operator}"\n`).join('')}
using OpResolver = tflite::MicroMutableOpResolver<kNumOperators>;

inline TfLiteStatus RegisterOperators(OpResolver& resolver) {
${methods.map((method) => `  TF_LITE_ENSURE_STATUS(resolver.${method}());\n`).join('')}  return kTfLiteOk;
}

`;
  const includes = ['tensorflow/lite/micro/micro_mutable_op_resolver.h'];
  return cppHeader(model, 'op_resolver.h', 'The operators that the model uses.', includes, body);
}
