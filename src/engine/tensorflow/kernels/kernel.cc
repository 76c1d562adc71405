#include "kernel.h"

#include <cstdio>

namespace qpipe {
namespace {

constexpr TF_DataType kFloat = 1;
constexpr TF_Code kInternal = 13;

struct Status {
  Status() : status(TF_NewStatus()) {}
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status() { TF_DeleteStatus(status); }
  TF_Status* status;
};

void expectOk(const TF_Status* status) {
  if (TF_GetCode(status) != 0) throw Failure(TF_Message(status));
}

size_t bytes(const std::vector<int64_t>& shape) {
  size_t size = sizeof(float);
  for (int64_t dimension : shape) size *= static_cast<size_t>(dimension);
  return size;
}

void unknownShapes(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

}  // namespace

std::vector<int64_t> Tensor::shape() const {
  std::vector<int64_t> shape(TF_NumDims(tensor_));
  for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor_, static_cast<int>(axis));
  return shape;
}

int64_t Attributes::integer(const char* name) const {
  int64_t value = 0;
  TF_OpKernelConstruction_GetAttrInt64(construction_, name, &value, status_);
  expectOk(status_);
  return value;
}

float Attributes::real(const char* name) const {
  float value = 0;
  TF_OpKernelConstruction_GetAttrFloat(construction_, name, &value, status_);
  expectOk(status_);
  return value;
}

Tensor Call::input(int index) const {
  TF_Tensor* tensor = nullptr;
  TF_GetInput(context_, index, &tensor, status_);
  expectOk(status_);
  return Tensor(tensor);
}

Tensor Call::output(int index, const std::vector<int64_t>& shape) const {
  TF_Tensor* tensor =
      TF_AllocateOutput(context_, index, kFloat, shape.data(), static_cast<int>(shape.size()), bytes(shape), status_);
  expectOk(status_);
  return Tensor(tensor);
}

Tensor Call::outputOver(int index, int input, const std::vector<int64_t>& shape) const {
  int forwarded = 0;
  TF_Tensor* tensor = TF_ForwardInputOrAllocateOutput(context_, &input, 1, index, shape.data(),
                                                      static_cast<int>(shape.size()), &forwarded, status_);
  expectOk(status_);
  return Tensor(tensor);
}

void Call::forward(int index, const Tensor& operand) const {
  TF_SetOutput(context_, index, operand.get(), status_);
  expectOk(status_);
}

void registerOp(const Signature& signature, void* (*create)(TF_OpKernelConstruction*),
                void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*)) {
  Status status;
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(signature.name);
  for (const char* input : signature.inputs) TF_OpDefinitionBuilderAddInput(op, input);
  for (const char* output : signature.outputs) TF_OpDefinitionBuilderAddOutput(op, output);
  for (const char* attribute : signature.attributes) TF_OpDefinitionBuilderAddAttr(op, attribute);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknownShapes);
  TF_RegisterOpDefinition(op, status.status);
  if (TF_GetCode(status.status) == 0) {
    TF_RegisterKernelBuilder(signature.name, TF_NewKernelBuilder(signature.name, "CPU", create, compute, destroy),
                             status.status);
  }
  // Whoever uses the op gets an error that names it; here is nobody who could.
  if (TF_GetCode(status.status) != 0) std::fprintf(stderr, "%s: %s\n", signature.name, TF_Message(status.status));
}

void* guardedCreate(TF_OpKernelConstruction* construction, void* (*create)(const Attributes&)) {
  Status status;
  try {
    return create(Attributes(construction, status.status));
  } catch (const std::exception& failure) {
    TF_SetStatus(status.status, kInternal, failure.what());
    TF_OpKernelConstruction_Failure(construction, status.status);
    return nullptr;
  }
}

void guardedCompute(TF_OpKernelContext* context, void* kernel, void (*compute)(void*, const Call&)) {
  Status status;
  try {
    compute(kernel, Call(context, status.status));
  } catch (const std::exception& failure) {
    TF_SetStatus(status.status, kInternal, failure.what());
    TF_OpKernelContext_Failure(context, status.status);
  }
}

}  // namespace qpipe

namespace {

/** When the library is loaded, by whatever loads it. */
__attribute__((constructor)) void registerAll() {
  qpipe::registerRangeKernels();
  qpipe::registerFakeQuantKernels();
  qpipe::registerBatchNormKernels();
}

}  // namespace

/** Makes the library one that Node loads. It exports nothing. */
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  return exports;
}
