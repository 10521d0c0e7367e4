// See sharding.h.
#include "parallel/sharding.h"

#include <algorithm>

#include "core/check.h"

namespace lynceus::parallel {

namespace {

void check_index(int64_t extent, int parts, int index) {
  LYNCEUS_CHECK(extent >= 0 && parts >= 1 && index >= 0 && index < parts, "part {} of {} of {}",
                index, parts, extent);
}

}  // namespace

Slice even_shard(int64_t extent, int parts, int index, std::string_view extent_key,
                 std::string_view parts_key) {
  check_index(extent, parts, index);
  if (extent % parts != 0)
    throw UsageError("{} {} does not divide by {} {}: change {}", extent_key, extent, parts_key,
                     parts, parts_key);
  const int64_t count = extent / parts;
  return {index * count, count};
}

Slice padded_shard(int64_t extent, int parts, int index) {
  check_index(extent, parts, index);
  const int64_t count = (extent + parts - 1) / parts;
  return {index * count, count};
}

int64_t valid_count(const Slice& shard, int64_t extent) {
  return std::clamp<int64_t>(extent - shard.begin, 0, shard.count);
}

Slice balanced_split(int64_t n, int parts, int index) {
  check_index(n, parts, index);
  const int64_t count = n / parts;
  const int64_t longer = n % parts;
  return {index * count + std::min<int64_t>(index, longer), count + (index < longer ? 1 : 0)};
}

}  // namespace lynceus::parallel
