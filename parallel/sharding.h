// Who holds which part: pure arithmetic for splitting an extent over ranks. Used by the layers
// (columns, rows, heads, vocabulary), the batch plan and the checkpoints.
#pragma once

#include <cstdint>
#include <string_view>

namespace lynceus::parallel {

/// Indices [begin, begin + count).
struct Slice {
  int64_t begin = 0;
  int64_t count = 0;

  int64_t end() const { return begin + count; }
  bool operator==(const Slice&) const = default;
};

/// Equal parts. `extent_key` and `parts_key` name the two numbers in the UsageError thrown when
/// they do not divide, e.g. "num_heads" and "parallel.tensor".
Slice even_shard(int64_t extent, int parts, int index, std::string_view extent_key,
                 std::string_view parts_key = "parallel.tensor");

/// Equal parts of ceil(extent / parts) rows, for the vocabulary: the last ones reach past the
/// extent, or lie wholly beyond it. What is past the extent is padding.
Slice padded_shard(int64_t extent, int parts, int index);
/// How many rows of a padded shard are real.
int64_t valid_count(const Slice& shard, int64_t extent);

/// n items dealt in contiguous runs whose counts differ by at most one, the longer ones first.
Slice balanced_split(int64_t n, int parts, int index);

}  // namespace lynceus::parallel
