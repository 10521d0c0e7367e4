// Shards cover their extent exactly, in order, and refuse what does not divide.
#include "parallel/sharding.h"

#include <gmock/gmock.h>

#include "core/error.h"

namespace lynceus::parallel {
namespace {

TEST(EvenShard, CoversInOrder) {
  EXPECT_EQ(even_shard(12, 4, 0, "num_heads"), (Slice{0, 3}));
  EXPECT_EQ(even_shard(12, 4, 3, "num_heads"), (Slice{9, 3}));
}

TEST(EvenShard, NamesBothNumbers) {
  try {
    even_shard(6, 4, 0, "num_heads");
    FAIL() << "6 heads were shared by 4 ranks";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "num_heads 6 does not divide by parallel.tensor 4: change parallel.tensor");
  }
}

TEST(PaddedShard, EveryRowOnceAndEqualLocalCounts) {
  for (int64_t extent : {1, 5, 7, 32001})
    for (int parts = 1; parts <= 8; ++parts) {
      int64_t next = 0;
      int64_t valid = 0;
      const int64_t count = padded_shard(extent, parts, 0).count;
      for (int index = 0; index < parts; ++index) {
        const Slice shard = padded_shard(extent, parts, index);
        EXPECT_EQ(shard.begin, next);
        EXPECT_EQ(shard.count, count);
        valid += valid_count(shard, extent);
        next = shard.end();
      }
      EXPECT_EQ(valid, extent) << extent << " over " << parts;
      EXPECT_LT(count, extent / parts + 2);
    }
}

TEST(PaddedShard, LastPartsMayBeAllPadding) {
  // 5 rows over 4 parts: 2, 2, 1 and none.
  EXPECT_EQ(valid_count(padded_shard(5, 4, 2), 5), 1);
  EXPECT_EQ(valid_count(padded_shard(5, 4, 3), 5), 0);
}

TEST(BalancedSplit, CountsDifferByAtMostOne) {
  for (int64_t n = 0; n < 40; ++n)
    for (int parts = 1; parts <= 9; ++parts) {
      int64_t next = 0;
      for (int index = 0; index < parts; ++index) {
        const Slice part = balanced_split(n, parts, index);
        EXPECT_EQ(part.begin, next);
        EXPECT_GE(part.count, n / parts);
        EXPECT_LE(part.count, (n + parts - 1) / parts);
        next = part.end();
      }
      EXPECT_EQ(next, n);
    }
}

TEST(Sharding, RefusesAnIndexOutsideTheParts) {
  EXPECT_THROW(balanced_split(3, 2, 2), InternalError);
  EXPECT_THROW(padded_shard(3, 2, -1), InternalError);
  EXPECT_THROW(even_shard(4, 2, 2, "num_heads"), InternalError);
}

}  // namespace
}  // namespace lynceus::parallel
