// A quantizer's range after nudging, as in TensorFlow's fake_quant_ops_functor.h, to the bit.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

namespace qpipe {

enum class RangePer { tensor, channel };

struct Codes {
  float least;
  float largest;

  Codes(int64_t bits, bool narrowRange)
      : least(narrowRange ? 1.0f : 0.0f), largest(static_cast<float>((int64_t{1} << bits) - 1)) {}
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/** Where gradients pass, bounds included. */
struct Interval {
  float low;
  float high;
};

constexpr Interval kEverything{-kInfinity, kInfinity};

struct Range {
  float low;
  float high;
  float scale;
  float inverse;
  /** The code of zero, as the forward kernel counts it. */
  float zero;
};

inline bool isEmpty(float min, float max) { return min == 0.0f && max == 0.0f; }

/** The range [0, 0] makes zero of everything. */
inline Range nudge(float min, float max, const Codes& codes) {
  if (isEmpty(min, max)) return {0.0f, 0.0f, 1.0f, 1.0f, 0.0f};
  const float steps = codes.largest - codes.least;
  const float scale = (max - min) / steps;
  const float inverse = steps / (max - min);
  const float unrounded = codes.least - min / scale;
  const float zero = unrounded < codes.least     ? codes.least
                     : unrounded > codes.largest ? codes.largest
                                                 : std::round(unrounded);
  const float low = (codes.least - zero) * scale;
  const float high = (codes.largest - zero) * scale;
  return {low, high, scale, inverse, std::floor(-low * inverse + 0.5f)};
}

/** The range [0, 0] lets all gradients pass. */
inline Interval passed(float min, float max, const Codes& codes) {
  if (isEmpty(min, max)) return kEverything;
  const Range range = nudge(min, max, codes);
  return {range.low, range.high};
}

/** TensorFlow divides by the scale of a tensor's range, and multiplies by the inverse where each channel has its own.
 */
template <RangePer per>
inline float quantize(float x, const Range& range) {
  const float below = x > range.high ? range.high : x;
  const float shifted = (below < range.low ? range.low : below) - range.low;
  const float steps = per == RangePer::tensor ? shifted / range.scale : shifted * range.inverse;
  return std::floor(steps - range.zero + 0.5f) * range.scale;
}

}  // namespace qpipe
