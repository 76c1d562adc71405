// Batch normalisation by the statistics of the batch, with what follows it in a network: a rectifier and a quantizer.
// A pass over memory costs more than all the arithmetic in it, so each of these makes as few as it can.
#include <algorithm>
#include <cmath>
#include <vector>

#include "activation.h"
#include "kernel.h"
#include "loop.h"
#include "parallel.h"
#include "quantizer.h"

namespace qpipe {
namespace {

/** Rows of channels as a flat array in which the channels repeat with a period that is long enough for vectors. */
struct Layout {
  int64_t size;
  int64_t channels;
  /** A multiple of the channels. */
  int64_t period;
  /** Elements that a thread does at a time: whole periods, of which two arrays stay in a core's cache. */
  int64_t piece;

  explicit Layout(const Tensor& input) : size(input.size()), channels(input.channels()) {
    int64_t rows = countPieces(kLanes, channels);
    // A multiple of 16 leaves no rest for the vectors of any instruction set.
    while (channels < kLanes && rows * channels % 16 != 0) rows++;
    period = rows * channels;
    piece = std::max<int64_t>(1, kPiece / period) * period;
  }

  int64_t rows() const { return size / channels; }

  /** Calls `visit(lane, channel)` for each place of a period. */
  template <class Visit>
  void forEachLane(const Visit& visit) const {
    for (int64_t start = 0; start < period; start += channels) {
      for (int64_t channel = 0; channel < channels; channel++) visit(start + channel, channel);
    }
  }

  /** A value for each channel, repeated over the period. */
  template <class Of>
  std::vector<float> repeat(const Of& of) const {
    std::vector<float> result(period);
    forEachLane([&](int64_t lane, int64_t channel) { result[lane] = static_cast<float>(of(channel)); });
    return result;
  }

 private:
  static constexpr int64_t kLanes = 64;
  static constexpr int64_t kPiece = 1 << 14;
};

QPIPE_LOOP void sumRun(const float* x, int64_t count, int64_t period, const float* origins, float* sums, float* low,
                       float* high) {
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    const float value = x[at];
    sums[lane] += value - origins[lane];
    low[lane] = value < low[lane] ? value : low[lane];
    high[lane] = value > high[lane] ? value : high[lane];
  });
}

QPIPE_LOOP void squareRun(const float* x, int64_t count, int64_t period, const float* centers, float* squares) {
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    const float difference = x[at] - centers[lane];
    squares[lane] += difference * difference;
  });
}

/**
 * Mean, biased variance, least and largest value of each channel. A piece of the batch is summed from its first row on,
 * then its squares around its own mean, so that float32 is enough for values that lie close together far from zero. The
 * pieces are put together in float64, in their order (Chan, Golub, LeVeque 1979).
 */
class BatchMoments {
 public:
  explicit BatchMoments(const Attributes&) {}

  void compute(const Call& call) const {
    const Tensor input = call.input(0);
    const Layout layout(input);
    const int64_t channels = layout.channels;
    std::vector<Part> parts(countPieces(layout.size, layout.piece));
    forEachPiece(layout.size, layout.piece, [&](int64_t index, int64_t start, int64_t count) {
      parts[index] = summarize(layout, input.data() + start, count);
    });
    const Tensor mean = call.output(0, {channels}), variance = call.output(1, {channels});
    const Tensor low = call.output(2, {channels}), high = call.output(3, {channels});
    for (int64_t channel = 0; channel < channels; channel++) {
      double sum = 0, squares = 0;
      float least = kInfinity, largest = -kInfinity;
      for (const Part& part : parts) {
        sum += part.mean[channel] * static_cast<double>(part.rows);
        least = std::min(least, part.low[channel]);
        largest = std::max(largest, part.high[channel]);
      }
      const double average = sum / static_cast<double>(layout.rows());
      for (const Part& part : parts) {
        const double offset = part.mean[channel] - average;
        squares += part.squares[channel] + static_cast<double>(part.rows) * offset * offset;
      }
      mean.data()[channel] = static_cast<float>(average);
      variance.data()[channel] = static_cast<float>(squares / static_cast<double>(layout.rows()));
      low.data()[channel] = least;
      high.data()[channel] = largest;
    }
  }

 private:
  /** Of each channel in one piece. */
  struct Part {
    int64_t rows = 0;
    std::vector<double> mean, squares;
    std::vector<float> low, high;
  };

  static Part summarize(const Layout& layout, const float* x, int64_t count) {
    const int64_t channels = layout.channels, period = layout.period;
    const std::vector<float> origins = layout.repeat([&](int64_t channel) { return x[channel]; });
    std::vector<float> sums(period), low(period, kInfinity), high(period, -kInfinity), squares(period);
    sumRun(x, count, period, origins.data(), sums.data(), low.data(), high.data());
    Part part{count / channels, std::vector<double>(channels), std::vector<double>(channels),
              std::vector<float>(channels, kInfinity), std::vector<float>(channels, -kInfinity)};
    layout.forEachLane([&](int64_t lane, int64_t channel) {
      part.mean[channel] += sums[lane];
      part.low[channel] = std::min(part.low[channel], low[lane]);
      part.high[channel] = std::max(part.high[channel], high[lane]);
    });
    const double rows = static_cast<double>(part.rows);
    for (int64_t channel = 0; channel < channels; channel++)
      part.mean[channel] = x[channel] + part.mean[channel] / rows;
    const std::vector<float> centers = layout.repeat([&](int64_t channel) { return part.mean[channel]; });
    squareRun(x, count, period, centers.data(), squares.data());
    layout.forEachLane([&](int64_t lane, int64_t channel) { part.squares[channel] += squares[lane]; });
    for (int64_t channel = 0; channel < channels; channel++) {
      // The centre is the mean but for its rounding.
      const double offset = part.mean[channel] - centers[channel];
      part.squares[channel] -= rows * offset * offset;
    }
    return part;
  }
};

/** (x - mean) * factor + offset, for each channel. */
struct Norm {
  std::vector<float> mean, factor, offset;
};

struct Normalizer {
  explicit Normalizer(const Attributes& attributes) : activation(attributes), epsilon(attributes.real("epsilon")) {}

  float inverseSigma(float variance) const { return static_cast<float>(1 / std::sqrt(double{variance} + epsilon)); }

  Norm norm(const Layout& layout, const Tensor& mean, const Tensor& variance, const Tensor& gamma,
            const Tensor& beta) const {
    return {
        layout.repeat([&](int64_t channel) { return mean.data()[channel]; }),
        layout.repeat([&](int64_t channel) { return gamma.data()[channel] * inverseSigma(variance.data()[channel]); }),
        layout.repeat([&](int64_t channel) { return beta.data()[channel]; }),
    };
  }

  const Activation activation;
  const float epsilon;
};

inline float normalize(float x, float mean, float factor, float offset) { return (x - mean) * factor + offset; }

/**
 * The range of what `Normalize` puts out, without a look at it: every step from a value to its result keeps order, so
 * the extremes of a channel become its extremes.
 */
class NormalizedRange {
 public:
  explicit NormalizedRange(const Attributes& attributes) : normalizer_(attributes) {}

  void compute(const Call& call) const {
    const Tensor low = call.input(0), high = call.input(1), mean = call.input(2), variance = call.input(3);
    const Tensor gamma = call.input(4), beta = call.input(5);
    float least = 0, largest = 0;
    for (int64_t channel = 0; channel < low.size(); channel++) {
      const float factor = gamma.data()[channel] * normalizer_.inverseSigma(variance.data()[channel]);
      for (const float x : {low.data()[channel], high.data()[channel]}) {
        const float y =
            activate(normalize(x, mean.data()[channel], factor, beta.data()[channel]), normalizer_.activation);
        least = std::min(least, y);
        largest = std::max(largest, y);
      }
    }
    *call.output(0, {}).data() = least;
    *call.output(1, {}).data() = largest;
  }

 private:
  const Normalizer normalizer_;
};

QPIPE_LOOP void normalizeRun(const float* x, float* y, int64_t count, int64_t period, const Norm& norm,
                             const Activation activation) {
  const float *mean = norm.mean.data(), *factor = norm.factor.data(), *offset = norm.offset.data();
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    y[at] = activate(normalize(x[at], mean[lane], factor[lane], offset[lane]), activation);
  });
}

QPIPE_LOOP void normalizeAndQuantizeRun(const float* x, float* y, int64_t count, int64_t period, const Norm& norm,
                                        const Activation activation, const Range range) {
  const float *mean = norm.mean.data(), *factor = norm.factor.data(), *offset = norm.offset.data();
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    const float normalized = normalize(x[at], mean[lane], factor[lane], offset[lane]);
    y[at] = quantize<RangePer::tensor>(activate(normalized, activation), range);
  });
}

class Normalize {
 public:
  explicit Normalize(const Attributes& attributes)
      : normalizer_(attributes), codes_(attributes.integer("bits"), attributes.integer("narrow") != 0) {}

  void compute(const Call& call) const {
    const std::vector<int64_t> shape = call.input(0).shape();
    const Tensor output = call.outputOver(0, 0, shape);
    const Tensor input = call.input(0), mean = call.input(1), variance = call.input(2), gamma = call.input(3);
    const Tensor beta = call.input(4), min = call.input(5), max = call.input(6), active = call.input(7);
    const Layout layout(input);
    const Norm norm = normalizer_.norm(layout, mean, variance, gamma, beta);
    const bool isActive = active.scalar() != 0;
    const Range range = nudge(min.scalar(), max.scalar(), codes_);
    forEachPiece(layout.size, layout.piece, [&](int64_t, int64_t start, int64_t count) {
      const float* x = input.data() + start;
      float* y = output.data() + start;
      if (isActive) {
        normalizeAndQuantizeRun(x, y, count, layout.period, norm, normalizer_.activation, range);
      } else {
        normalizeRun(x, y, count, layout.period, norm, normalizer_.activation);
      }
    });
  }

 private:
  const Normalizer normalizer_;
  const Codes codes_;
};

/** The gradient behind rectifier and quantizer, where x gave what they let pass. */
inline float slopeAt(float slope, float x, float mean, float factor, float offset, const Activation& activation,
                     const Interval& interval) {
  const float activated = activate(normalize(x, mean, factor, offset), activation);
  return keepIf(passes(activated, interval, activation), slope);
}

QPIPE_LOOP void sumSlopesRun(const float* slopes, const float* x, int64_t count, int64_t period, const Norm& norm,
                             const Activation activation, const Interval interval, float* totals, float* products) {
  const float *mean = norm.mean.data(), *factor = norm.factor.data(), *offset = norm.offset.data();
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    const float slope = slopeAt(slopes[at], x[at], mean[lane], factor[lane], offset[lane], activation, interval);
    totals[lane] += slope;
    products[lane] += slope * (x[at] - mean[lane]);
  });
}

/** factor * slope - shared - (x - mean) * tilt */
QPIPE_LOOP void gradientRun(const float* slopes, const float* x, float* result, int64_t count, int64_t period,
                            const Norm& norm, const Activation activation, const Interval interval, const float* shared,
                            const float* tilt) {
  const float *mean = norm.mean.data(), *factor = norm.factor.data(), *offset = norm.offset.data();
  forEachElement(count, period, [=](int64_t at, int64_t lane) {
    const float slope = slopeAt(slopes[at], x[at], mean[lane], factor[lane], offset[lane], activation, interval);
    result[at] = factor[lane] * slope - shared[lane] - (x[at] - mean[lane]) * tilt[lane];
  });
}

/** With n = (x - mean) / sigma: dx = gamma / sigma * (dy - mean(dy) - n * mean(dy * n)), dgamma = sum(dy * n). */
class NormalizeGrad {
 public:
  explicit NormalizeGrad(const Attributes& attributes)
      : normalizer_(attributes), codes_(attributes.integer("bits"), attributes.integer("narrow") != 0) {}

  void compute(const Call& call) const {
    const std::vector<int64_t> shape = call.input(1).shape();
    const Tensor output = call.outputOver(0, 0, shape);
    const Tensor gradient = call.input(0), input = call.input(1), mean = call.input(2), variance = call.input(3);
    const Tensor gamma = call.input(4), beta = call.input(5), min = call.input(6), max = call.input(7);
    const Tensor active = call.input(8);
    const Layout layout(input);
    const Norm norm = normalizer_.norm(layout, mean, variance, gamma, beta);
    const Activation& activation = normalizer_.activation;
    const Interval interval = active.scalar() == 0 ? kEverything : passed(min.scalar(), max.scalar(), codes_);

    std::vector<std::vector<float>> totals(countPieces(layout.size, layout.piece)),
        products(countPieces(layout.size, layout.piece));
    forEachPiece(layout.size, layout.piece, [&](int64_t index, int64_t start, int64_t count) {
      totals[index].resize(layout.period);
      products[index].resize(layout.period);
      sumSlopesRun(gradient.data() + start, input.data() + start, count, layout.period, norm, activation, interval,
                   totals[index].data(), products[index].data());
    });
    const std::vector<double> total = perChannel(layout, totals), product = perChannel(layout, products);
    const Tensor gammaGradient = call.output(1, {layout.channels}), betaGradient = call.output(2, {layout.channels});
    for (int64_t channel = 0; channel < layout.channels; channel++) {
      const double inverse = normalizer_.inverseSigma(variance.data()[channel]);
      gammaGradient.data()[channel] = static_cast<float>(product[channel] * inverse);
      betaGradient.data()[channel] = static_cast<float>(total[channel]);
    }
    const double rows = static_cast<double>(layout.rows());
    const std::vector<float> shared =
        layout.repeat([&](int64_t channel) { return norm.factor[channel] * total[channel] / rows; });
    const std::vector<float> tilt = layout.repeat([&](int64_t channel) {
      const double inverse = normalizer_.inverseSigma(variance.data()[channel]);
      return norm.factor[channel] * inverse * inverse * product[channel] / rows;
    });
    forEachPiece(layout.size, layout.piece, [&](int64_t, int64_t start, int64_t count) {
      gradientRun(gradient.data() + start, input.data() + start, output.data() + start, count, layout.period, norm,
                  activation, interval, shared.data(), tilt.data());
    });
  }

 private:
  static std::vector<double> perChannel(const Layout& layout, const std::vector<std::vector<float>>& parts) {
    std::vector<double> sums(layout.channels);
    for (const std::vector<float>& part : parts) {
      layout.forEachLane([&](int64_t lane, int64_t channel) { sums[channel] += part[lane]; });
    }
    return sums;
  }

  const Normalizer normalizer_;
  const Codes codes_;
};

}  // namespace

// Inputs and their gradients: [..., channels]. Statistics, gamma, beta and what is found of each channel: [channels].
// The ranges are scalars, and so is `active`: where it is 0, the values are not quantized.
void registerBatchNormKernels() {
  registerKernel<BatchMoments>({
      "QpipeBatchMoments",
      {"input: float"},
      {"mean: float", "variance: float", "low: float", "high: float"},
      {},
  });
  registerKernel<NormalizedRange>({
      "QpipeNormalizedRange",
      {"low: float", "high: float", "mean: float", "variance: float", "gamma: float", "beta: float"},
      {"min: float", "max: float"},
      {"epsilon: float", "rectified: int", "limit: float"},
  });
  registerKernel<Normalize>({
      "QpipeNormalize",
      {"input: float", "mean: float", "variance: float", "gamma: float", "beta: float", "min: float", "max: float",
       "active: float"},
      {"output: float"},
      {"epsilon: float", "rectified: int", "limit: float", "bits: int", "narrow: int"},
  });
  registerKernel<NormalizeGrad>({
      "QpipeNormalizeGrad",
      {"gradient: float", "input: float", "mean: float", "variance: float", "gamma: float", "beta: float", "min: float",
       "max: float", "active: float"},
      {"input_gradient: float", "gamma_gradient: float", "beta_gradient: float"},
      {"epsilon: float", "rectified: int", "limit: float", "bits: int", "narrow: int"},
  });
}

}  // namespace qpipe
