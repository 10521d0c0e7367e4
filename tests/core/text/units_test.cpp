#include "core/text/units.h"

#include <gtest/gtest.h>

namespace lynceus {
namespace {

TEST(Units, Bytes) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(7'864'320), "7.5 MiB");
  EXPECT_EQ(bytes_text(3ull << 40), "3.0 TiB");
  EXPECT_EQ(bytes_text(5000ull << 40), "5000.0 TiB");
  EXPECT_EQ(bytes_text((1 << 20) - 1), "1.0 MiB");
}

TEST(Units, Counts) {
  EXPECT_EQ(count_text(950), "950");
  EXPECT_EQ(count_text(48'912), "48.9 thousand");
  EXPECT_EQ(count_text(1'000'000), "1.0 million");
  EXPECT_EQ(count_text(6'738'415'616), "6,738.4 million");
  EXPECT_EQ(count_text(999'999), "1.0 million");
  EXPECT_EQ(count_text(1'234'567'000'000), "1,234,567.0 million");
}

TEST(Units, Seconds) {
  EXPECT_EQ(seconds_text(0.054), "0.05 s");
  EXPECT_EQ(seconds_text(12.34), "12.3 s");
  EXPECT_EQ(seconds_text(250), "4 min 10 s");
  EXPECT_EQ(seconds_text(7500), "2 h 5 min");
}

TEST(Units, Counted) {
  EXPECT_EQ(counted(0, "step"), "0 steps");
  EXPECT_EQ(counted(1, "step"), "1 step");
  EXPECT_EQ(counted(2, "complete shard"), "2 complete shards");
}

}  // namespace
}  // namespace lynceus
