// Loops over elements that compilers make vectors of.
#pragma once
#include <cstdint>

namespace qpipe {

// A function with such a loop is compiled for several instruction sets. None of them may join a product and a sum into
// one rounding, so that the results are those of any other.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define QPIPE_LOOP __attribute__((target_clones("avx512f", "avx2", "default"), noinline))
#else
#define QPIPE_LOOP __attribute__((noinline))
#endif

/**
 * Calls `body(element, lane)` for elements that lie in rows of lanes, of which the last may be shorter. A result may
 * lie over an operand, element on element.
 */
template <class Body>
inline __attribute__((always_inline)) void forEachElement(int64_t count, int64_t lanes, const Body& body) {
  for (int64_t start = 0; start < count; start += lanes) {
    const int64_t width = count - start < lanes ? count - start : lanes;
#pragma GCC ivdep
    for (int64_t lane = 0; lane < width; lane++) body(start + lane, lane);
  }
}

}  // namespace qpipe
