// Fake quantization and its gradient, with one range for the tensor or one for each index of an axis.
#include <algorithm>
#include <vector>

#include "activation.h"
#include "kernel.h"
#include "loop.h"
#include "parallel.h"
#include "quantizer.h"

namespace qpipe {
namespace {

constexpr int64_t kPiece = 1 << 15;

template <RangePer per>
inline void quantizeRun(const float* x, float* y, int64_t count, const Range range) {
  forEachElement(count, count, [=](int64_t at, int64_t) { y[at] = quantize<per>(x[at], range); });
}

QPIPE_LOOP void quantizeWithTensorRange(const float* x, float* y, int64_t count, const Range range) {
  quantizeRun<RangePer::tensor>(x, y, count, range);
}

QPIPE_LOOP void quantizeWithChannelRange(const float* x, float* y, int64_t count, const Range range) {
  quantizeRun<RangePer::channel>(x, y, count, range);
}

/** Each column has its range. */
QPIPE_LOOP void quantizeRows(const float* x, float* y, int64_t count, const Range* ranges, int64_t columns) {
  forEachElement(count, columns,
                 [=](int64_t at, int64_t column) { y[at] = quantize<RangePer::channel>(x[at], ranges[column]); });
}

QPIPE_LOOP void passRun(const float* slopes, const float* x, float* result, int64_t count, const Interval interval,
                        const Activation activation) {
  forEachElement(count, count,
                 [=](int64_t at, int64_t) { result[at] = keepIf(passes(x[at], interval, activation), slopes[at]); });
}

QPIPE_LOOP void passRows(const float* slopes, const float* x, float* result, int64_t count, const Interval* intervals,
                         int64_t columns, const Activation activation) {
  forEachElement(count, columns, [=](int64_t at, int64_t column) {
    result[at] = keepIf(passes(x[at], intervals[column], activation), slopes[at]);
  });
}

/** What both kernels know of their node. */
class Quantizer {
 public:
  explicit Quantizer(const Attributes& attributes)
      : codes_(attributes.integer("bits"), attributes.integer("narrow") != 0),
        channels_(attributes.integer("channels")),
        inner_(attributes.integer("inner")) {}

 protected:
  bool hasOneRange() const { return channels_ == 0; }
  bool hasRangePerColumn() const { return inner_ == 1; }

  /** What `nudge` or `passed` make of each range. */
  template <class Result>
  std::vector<Result> each(const Tensor& min, const Tensor& max, Result (*of)(float, float, const Codes&)) const {
    std::vector<Result> results;
    for (int64_t index = 0; index < min.size(); index++) {
      results.push_back(of(min.data()[index], max.data()[index], codes_));
    }
    return results;
  }

  /** Calls `visit(start, index of the range)` for each run of `inner_` elements with one range. */
  template <class Visit>
  void forEachRun(int64_t size, const Visit& visit) const {
    for (int64_t run = 0; run < size / inner_; run++) visit(run * inner_, run % channels_);
  }

  const Codes codes_;
  /** 0: the tensor has one range. */
  const int64_t channels_;
  /** Neighbours that share a range, where each channel has its own. */
  const int64_t inner_;
};

class FakeQuant : Quantizer {
 public:
  using Quantizer::Quantizer;

  void compute(const Call& call) const {
    const bool isActive = call.input(3).scalar() != 0;
    if (!isActive) return call.forward(0, call.input(0));
    const std::vector<int64_t> shape = call.input(0).shape();
    const Tensor output = call.outputOver(0, 0, shape);
    const Tensor input = call.input(0);
    const std::vector<Range> ranges = each(call.input(1), call.input(2), nudge);
    const float* x = input.data();
    float* y = output.data();
    const int64_t size = input.size();
    if (hasOneRange()) {
      forEachPiece(size, kPiece, [&](int64_t, int64_t start, int64_t count) {
        quantizeWithTensorRange(x + start, y + start, count, ranges[0]);
      });
    } else if (hasRangePerColumn()) {
      quantizeRows(x, y, size, ranges.data(), channels_);
    } else {
      forEachRun(size, [&](int64_t start, int64_t channel) {
        quantizeWithChannelRange(x + start, y + start, inner_, ranges[channel]);
      });
    }
  }
};

class FakeQuantGrad : Quantizer {
 public:
  explicit FakeQuantGrad(const Attributes& attributes) : Quantizer(attributes), activation_(attributes) {}

  void compute(const Call& call) const {
    const bool isActive = call.input(4).scalar() != 0;
    if (!isActive && !activation_.rectifies) return call.forward(0, call.input(0));
    const std::vector<int64_t> shape = call.input(1).shape();
    const Tensor output = call.outputOver(0, 0, shape);
    const Tensor gradient = call.input(0), input = call.input(1), min = call.input(2), max = call.input(3);
    const float *slopes = gradient.data(), *x = input.data();
    float* result = output.data();
    const int64_t size = input.size();
    if (hasOneRange() || !isActive) {
      const Interval interval = isActive ? passed(min.scalar(), max.scalar(), codes_) : kEverything;
      forEachPiece(size, kPiece, [&](int64_t, int64_t start, int64_t count) {
        passRun(slopes + start, x + start, result + start, count, interval, activation_);
      });
      return;
    }
    const std::vector<Interval> intervals = each(min, max, passed);
    if (hasRangePerColumn()) {
      passRows(slopes, x, result, size, intervals.data(), channels_, activation_);
    } else {
      forEachRun(size, [&](int64_t start, int64_t channel) {
        passRun(slopes + start, x + start, result + start, inner_, intervals[channel], activation_);
      });
    }
  }

 private:
  const Activation activation_;
};

}  // namespace

// Values of any shape; min and max are scalars with 0 channels, else vectors along the axis after which there are
// `inner` elements. A quantizer acts where the scalar `active` is not 0. The gradient is also that of a rectifier
// before it.
void registerFakeQuantKernels() {
  registerKernel<FakeQuant>({
      "QpipeFakeQuant",
      {"input: float", "min: float", "max: float", "active: float"},
      {"output: float"},
      {"bits: int", "narrow: int", "channels: int", "inner: int"},
  });
  registerKernel<FakeQuantGrad>({
      "QpipeFakeQuantGrad",
      {"gradient: float", "input: float", "min: float", "max: float", "active: float"},
      {"result: float"},
      {"bits: int", "narrow: int", "channels: int", "inner: int", "rectified: int", "limit: float"},
  });
}

}  // namespace qpipe
