#pragma once
#include <cstdint>
#include <functional>

namespace qpipe {

/**
 * Calls `body` once for each of 0 .. count - 1, in any order and on as many threads as the process may use, and returns
 * when all calls have. Which thread makes a call has no influence on its arithmetic.
 */
void parallelFor(int64_t count, const std::function<void(int64_t)>& body);

/** How many pieces of at most `most` elements there are, none of them tiny. */
inline int64_t pieces(int64_t elements, int64_t most) { return (elements + most - 1) / most; }

}  // namespace qpipe
