// The least and the largest value: of a tensor, or of each index of one axis.
#include <algorithm>
#include <vector>

#include "kernel.h"
#include "loop.h"
#include "parallel.h"
#include "quantizer.h"

namespace qpipe {
namespace {

constexpr int64_t kPiece = 1 << 15;
constexpr int kLanes = 64;

struct Extremes {
  float low;
  float high;
};

QPIPE_LOOP void includeRows(const float* x, int64_t count, int64_t columns, float* low, float* high) {
  forEachElement(count, columns, [=](int64_t at, int64_t column) {
    const float value = x[at];
    low[column] = value < low[column] ? value : low[column];
    high[column] = value > high[column] ? value : high[column];
  });
}

Extremes extremesOf(const float* x, int64_t count) {
  float low[kLanes], high[kLanes];
  std::fill_n(low, kLanes, kInfinity);
  std::fill_n(high, kLanes, -kInfinity);
  includeRows(x, count, kLanes, low, high);
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

class ObserveRange {
 public:
  explicit ObserveRange(const Attributes& attributes)
      : channels_(attributes.integer("channels")),
        inner_(attributes.integer("inner")),
        smallest_(attributes.real("smallest")) {}

  void compute(const Call& call) const {
    const Tensor input = call.input(0);
    const std::vector<int64_t> shape = channels_ == 0 ? std::vector<int64_t>{} : std::vector<int64_t>{channels_};
    const Tensor min = call.output(0, shape), max = call.output(1, shape);
    std::vector<float> low(std::max<int64_t>(channels_, 1), kInfinity), high(low.size(), -kInfinity);
    if (channels_ == 0) {
      const Extremes all = ofTensor(input);
      low[0] = all.low;
      high[0] = all.high;
    } else if (inner_ == 1) {
      includeRows(input.data(), input.size(), channels_, low.data(), high.data());
    } else {
      for (int64_t run = 0; run < input.size() / inner_; run++) {
        const Extremes of = extremesOf(input.data() + run * inner_, inner_);
        low[run % channels_] = std::min(low[run % channels_], of.low);
        high[run % channels_] = std::max(high[run % channels_], of.high);
      }
    }
    for (size_t index = 0; index < low.size(); index++) {
      // Every range contains zero.
      const float least = std::min(low[index], 0.0f), largest = std::max(high[index], 0.0f);
      const float size = std::max(std::max(-least, largest), smallest_);
      min.data()[index] = smallest_ > 0 ? -size : least;
      max.data()[index] = smallest_ > 0 ? size : largest;
    }
  }

 private:
  static Extremes ofTensor(const Tensor& input) {
    const int64_t size = input.size();
    std::vector<Extremes> parts(countPieces(size, kPiece));
    forEachPiece(size, kPiece, [&](int64_t index, int64_t start, int64_t count) {
      parts[index] = extremesOf(input.data() + start, count);
    });
    Extremes result{kInfinity, -kInfinity};
    for (const Extremes& part : parts) {
      result.low = std::min(result.low, part.low);
      result.high = std::max(result.high, part.high);
    }
    return result;
  }

  const int64_t channels_;
  const int64_t inner_;
  const float smallest_;
};

}  // namespace

void registerRangeKernels() {
  registerKernel<ObserveRange>({
      "QpipeObserveRange",
      {"input: float"},
      {"min: float", "max: float"},
      // As for fake quantization. A smallest range above 0 asks for ranges that are symmetric.
      {"channels: int", "inner: int", "smallest: float"},
  });
}

}  // namespace qpipe
