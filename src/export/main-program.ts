/** A program that runs the test vectors, on a device or a PC. */
import { namespaceOf } from './cpp.ts';
import type { Exported } from './exported.ts';

export function mainProgram(model: Exported): string {
  const namespace = namespaceOf(model);
  return `${header}
namespace ${namespace} {
namespace {

${comparison}
${check}
}  // namespace
}  // namespace ${namespace}

int main() { return ${namespace}::CheckVectors(); }
`;
}

/** What it says of itself, and what it takes from the other files. */
const header = `// Runs the test vectors and says which differ; 0 is success. A device without standard output may define
// QPIPE_PRINT as another function that takes a format.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "qpipe_invoke.h"
#include "test_vectors.h"

#ifndef QPIPE_PRINT
#define QPIPE_PRINT printf
#endif
`;

/** What differs of one vector: output and layers. */
const comparison = `OutputType output[kOutputSize];

// 32-bit FNV-1a.
uint32_t Digest(const void* data, size_t bytes) {
  const unsigned char* byte = static_cast<const unsigned char*>(data);
  uint32_t hash = 0x811c9dc5u;
  for (size_t at = 0; at < bytes; ++at) hash = (hash ^ byte[at]) * 0x01000193u;
  return hash;
}

// The first layer whose bytes differ; kNumLayers where none does, or the runtime keeps none.
size_t FirstOtherLayer(size_t vector) {
  for (size_t layer = 0; layer < kNumLayers; ++layer) {
    const void* data = TensorData(kLayers[layer].tensor);
    if (data != nullptr && Digest(data, kLayers[layer].bytes) != kVectorDigests[vector][layer]) return layer;
  }
  return kNumLayers;
}

unsigned CountOtherValues(size_t vector) {
  unsigned others = 0;
  for (size_t at = 0; at < kOutputSize; ++at) {
    if (memcmp(&output[at], &kVectorOutputs[vector][at], sizeof(OutputType)) != 0) ++others;
  }
  return others;
}
`;

/** All vectors, one after the other. */
const check = `int CheckVectors() {
  if (!Prepare()) {
    QPIPE_PRINT("FAIL: the runtime does not take the model\\n");
    return 1;
  }
  unsigned failed = 0;
  for (size_t vector = 0; vector < kNumVectors; ++vector) {
    if (!Invoke(kVectorInputs[vector], output)) {
      QPIPE_PRINT("FAIL: the runtime fails on vector %u\\n", static_cast<unsigned>(vector));
      return 1;
    }
    const unsigned others = CountOtherValues(vector);
    const size_t layer = FirstOtherLayer(vector);
    if (others == 0 && layer == kNumLayers) continue;
    ++failed;
    QPIPE_PRINT("vector %u: %u of %u values differ", static_cast<unsigned>(vector), others,
                static_cast<unsigned>(kOutputSize));
    if (layer < kNumLayers) QPIPE_PRINT(", first in %s", kLayers[layer].name);
    QPIPE_PRINT("\\n");
  }
  QPIPE_PRINT("%s: %u of %u vectors differ\\n", failed == 0 ? "PASS" : "FAIL", failed,
              static_cast<unsigned>(kNumVectors));
  return failed == 0 ? 0 : 1;
}
`;
