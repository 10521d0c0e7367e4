// Which name a misspelled one means.
#include "core/text/spelling.h"

#include <gtest/gtest.h>

namespace lynceus {
namespace {

TEST(Spelling, DistanceCountsLetters) {
  EXPECT_EQ(edit_distance("train", "train"), 0u);
  EXPECT_EQ(edit_distance("trian", "train"), 2u);
  EXPECT_EQ(edit_distance("", "train"), 5u);
  EXPECT_EQ(edit_distance("trains", "train"), 1u);
}

TEST(Spelling, TheNearestNameIsGuessed) {
  const std::vector<std::string> names = {"prepare", "train", "evaluate", "inspect", "verify"};
  EXPECT_EQ(nearest_name("trian", names), "train");
  EXPECT_EQ(nearest_name("tain", names), "train");
  EXPECT_EQ(nearest_name("eval", names), "evaluate");
  EXPECT_EQ(nearest_name("evalute", names), "evaluate");
  EXPECT_EQ(nearest_name("prep", names), "prepare");
  EXPECT_EQ(nearest_name("dance", names), "");
  EXPECT_EQ(nearest_name("x", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

}  // namespace
}  // namespace lynceus
