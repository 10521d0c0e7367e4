// Kernels with one planted bug each. The race build (tests/simt/race) must report each with its
// source lines. The shim alone finds fewer, or finds some only in one order of threads.
#pragma once

#include <simt.h>

#include <vector>

namespace lynceus::simt::races {

constexpr int kValues = 256;

/// The expected part of the message; null: no message, and the result is correct.
struct Bug {
  const char* name;
  /// Computes kValues of `out` from kValues of `in`, with the bug or without.
  void (*launch)(const Stream& stream, bool planted, const float* in, float* out);
  const char* ascending;
  const char* descending;
  const char* race;  ///< of the race build, in either order of threads
};

/// Source lines that end in "// <name of the bug>" must be named in the message of the race build.
std::vector<Bug> block_bugs();
std::vector<Bug> warp_bugs();
std::vector<Bug> memory_bugs();

/// The message if the result differs from the result without the bug.
constexpr const char* kWrong = "wrong values";
constexpr const char* kNoBarrier = "no barrier between";
constexpr const char* kNoOrder = "blocks of one launch have no order";

template <auto kKernel, unsigned kBlocks, unsigned kThreads, size_t kSharedBytes = 0>
void launch_one(const Stream& stream, bool planted, const float* in, float* out) {
  simt::launch(kKernel, kBlocks, kThreads, kSharedBytes, stream, planted, in, out);
}

}  // namespace lynceus::simt::races
