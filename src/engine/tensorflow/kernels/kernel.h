// A kernel of TensorFlow's in terms of float32 arrays.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tensorflow_c.h"

namespace qpipe {

/** Ends a run of a node with an error of TensorFlow's. */
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/** An operand or a result while a kernel runs. */
class Tensor {
 public:
  explicit Tensor(TF_Tensor* tensor) : tensor_(tensor) {}
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor() { TF_DeleteTensor(tensor_); }

  float* data() const { return static_cast<float*>(TF_TensorData(tensor_)); }
  int64_t size() const { return TF_TensorElementCount(tensor_); }
  float scalar() const { return *data(); }
  std::vector<int64_t> shape() const;
  /** Of the last axis. */
  int64_t channels() const { return TF_Dim(tensor_, TF_NumDims(tensor_) - 1); }
  TF_Tensor* get() const { return tensor_; }

 private:
  TF_Tensor* tensor_;
};

/** The attributes of a node. */
class Attributes {
 public:
  Attributes(TF_OpKernelConstruction* construction, TF_Status* status) : construction_(construction), status_(status) {}
  int64_t integer(const char* name) const;
  float real(const char* name) const;

 private:
  TF_OpKernelConstruction* construction_;
  TF_Status* status_;
};

/** One run of a node. */
class Call {
 public:
  Call(TF_OpKernelContext* context, TF_Status* status) : context_(context), status_(status) {}
  Tensor input(int index) const;
  Tensor output(int index, const std::vector<int64_t>& shape) const;
  /** In the buffer of that input where nobody else needs it. To be called before that input is asked for. */
  Tensor outputOver(int index, int input, const std::vector<int64_t>& shape) const;
  /** The result is an operand, unchanged. */
  void forward(int index, const Tensor& operand) const;

 private:
  TF_OpKernelContext* context_;
  TF_Status* status_;
};

struct Signature {
  const char* name;
  std::vector<const char*> inputs;
  std::vector<const char*> outputs;
  std::vector<const char*> attributes;
};

void registerOp(const Signature& signature, void* (*create)(TF_OpKernelConstruction*),
                void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void* guardedCreate(TF_OpKernelConstruction*, void* (*create)(const Attributes&));
void guardedCompute(TF_OpKernelContext*, void* kernel, void (*compute)(void*, const Call&));

/** Registers an op and its kernel for CPUs: a class that is made of attributes, with `void compute(const Call&) const`.
 */
template <class Kernel>
void registerKernel(const Signature& signature) {
  registerOp(
      signature,
      [](TF_OpKernelConstruction* construction) {
        return guardedCreate(construction,
                             [](const Attributes& attributes) -> void* { return new Kernel(attributes); });
      },
      [](void* kernel, TF_OpKernelContext* context) {
        guardedCompute(context, kernel,
                       [](void* self, const Call& call) { static_cast<const Kernel*>(self)->compute(call); });
      },
      [](void* kernel) { delete static_cast<Kernel*>(kernel); });
}

void registerRangeKernels();
void registerFakeQuantKernels();
void registerBatchNormKernels();

}  // namespace qpipe
