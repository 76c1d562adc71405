/** What the checks need of a runtime, and that interface on TensorFlow Lite Micro. */
import { cppHeader, cppSource } from './cpp.ts';
import type { Exported } from './exported.ts';

export function invokeHeader(model: Exported): string {
  const body = `// Makes the runtime ready. False where it does not take the model.
bool Prepare();

// Runs the model once. False where it fails.
bool Invoke(const InputType* input, OutputType* output);

// After Invoke: the tensor with this index in the file; null where the runtime does not keep it.
const void* TensorData(int tensor);

`;
  const says = 'What main.cc needs of a runtime. tflm_invoke.cc is that on TensorFlow Lite Micro.';
  return cppHeader(model, 'qpipe_invoke.h', says, ['model_settings.h'], body);
}

export function tflmInvokeSource(model: Exported): string {
  const body = `namespace {

#ifdef QPIPE_KEEP_TENSORS
constexpr bool kKeepTensors = true;
constexpr size_t kArenaBytes = kArenaSizeKeepingTensors;
#else
constexpr bool kKeepTensors = false;
constexpr size_t kArenaBytes = kArenaSize;
#endif

alignas(16) uint8_t arena[kArenaBytes];

tflite::MicroInterpreter* interpreter = nullptr;

}  // namespace

bool Prepare() {
  const tflite::Model* model = tflite::GetModel(kModelData);
  if (model->version() != TFLITE_SCHEMA_VERSION) return false;
  static OpResolver resolver;
  if (RegisterOperators(resolver) != kTfLiteOk) return false;
  static tflite::MicroInterpreter instance(model, resolver, arena, kArenaBytes, nullptr, nullptr, kKeepTensors);
  if (instance.AllocateTensors() != kTfLiteOk) return false;
  interpreter = &instance;
  return true;
}

bool Invoke(const InputType* input, OutputType* output) {
  memcpy(interpreter->input(0)->data.raw, input, kInputSize * sizeof(InputType));
  if (interpreter->Invoke() != kTfLiteOk) return false;
  memcpy(output, interpreter->output(0)->data.raw, kOutputSize * sizeof(OutputType));
  return true;
}

const void* TensorData(int tensor) {
  return kKeepTensors ? interpreter->GetTensor(tensor)->data.raw : nullptr;
}

`;
  const says = 'qpipe_invoke.h on TensorFlow Lite Micro; empty without QPIPE_USE_TFLM.';
  const includes = [
    ...['<stdint.h>', '<string.h>'],
    ...['tensorflow/lite/micro/micro_interpreter.h', 'tensorflow/lite/schema/schema_generated.h'],
    ...['model_data.h', 'op_resolver.h', 'qpipe_invoke.h'],
  ];
  return `#ifdef QPIPE_USE_TFLM\n${cppSource(model, says, includes, body)}#endif  // QPIPE_USE_TFLM\n`;
}
