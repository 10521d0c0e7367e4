// Kernels with one planted bug each that the race build (tests/simt/race) must tell with the lines
// concerned, and what the shim alone makes of them: it sees less, or only in one order of threads.
#pragma once

#include <simt.h>

#include <vector>

namespace lynceus::simt::races {

constexpr int kValues = 256;

/// What is said of it: part of a message; null: nothing, and the result is right.
struct Bug {
  const char* name;
  /// From kValues of `in` to kValues of `out`, with the bug or without.
  void (*launch)(const Stream& stream, bool planted, const float* in, float* out);
  const char* ascending;
  const char* descending;
  const char* race;  ///< by the race build, in either order
};

/// The lines that a message of the race build must name end in "// <name of the bug>".
std::vector<Bug> block_bugs();
std::vector<Bug> warp_bugs();
std::vector<Bug> memory_bugs();

/// Of a result that differs from that without the bug.
constexpr const char* kWrong = "wrong values";
constexpr const char* kNoBarrier = "no barrier between";
constexpr const char* kNoOrder = "blocks of one launch have no order";

template <auto kKernel, unsigned kBlocks, unsigned kThreads, size_t kSharedBytes = 0>
void launch_one(const Stream& stream, bool planted, const float* in, float* out) {
  simt::launch(kKernel, kBlocks, kThreads, kSharedBytes, stream, planted, in, out);
}

}  // namespace lynceus::simt::races
