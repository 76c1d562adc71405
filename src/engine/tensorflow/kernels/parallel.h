#pragma once
#include <cstdint>
#include <functional>

namespace qpipe {

/**
 * Calls `body` once for each of 0 .. count - 1, in any order and on as many threads as the process may use, and returns
 * when all calls have. Which thread makes a call has no influence on its arithmetic.
 */
void parallelFor(int64_t count, const std::function<void(int64_t)>& body);

/** How many pieces of at most `most` elements there are. */
inline int64_t countPieces(int64_t size, int64_t most) { return (size + most - 1) / most; }

/** Calls `visit(index, start, count)` for the pieces of an array, as `parallelFor` does. */
template <class Visit>
void forEachPiece(int64_t size, int64_t most, const Visit& visit) {
  parallelFor(countPieces(size, most), [&](int64_t index) {
    const int64_t start = index * most;
    visit(index, start, size - start < most ? size - start : most);
  });
}

}  // namespace qpipe
