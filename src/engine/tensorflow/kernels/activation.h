#pragma once
#include <cstdint>
#include <cstring>

#include "kernel.h"
#include "quantizer.h"

namespace qpipe {

/** None, or a rectifier, which may have an upper limit. */
struct Activation {
  explicit Activation(const Attributes& attributes)
      : rectifies(attributes.integer("rectified") != 0),
        least(rectifies ? 0.0f : -kInfinity),
        limit(rectifies ? attributes.real("limit") : kInfinity) {}

  const bool rectifies;
  const float least;
  const float limit;
};

/** A rectifier lets no gradient pass at its bounds, a quantizer does; what has no bounds lets all pass. */
inline bool passes(float activated, const Interval& interval, const Activation& activation) {
  // Not &&, as there are no branches in a vector.
  const bool isInRange = (activated >= interval.low) & (activated <= interval.high);
  return isInRange & ((activated > activation.least) & (activated < activation.limit));
}

/** The value, or zero; by its bits, as compilers make branches of a choice, and vectors have none. */
inline float keepIf(bool isKept, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits &= -static_cast<uint32_t>(isKept);
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

inline float activate(float x, const Activation& activation) {
  const float below = x > activation.limit ? activation.limit : x;
  return below < activation.least ? activation.least : below;
}

}  // namespace qpipe
