// When a run that ends tries again to save its last steps.
#include "train/save/save_patience.h"

#include <gtest/gtest.h>

namespace lynceus::train {
namespace {

using Clock = SavePatience::Clock;
using std::chrono::seconds;

TEST(SavePatience, WaitsLongerEachTimeUntilItsTimeIsOver) {
  const Clock::time_point begin{};
  SavePatience patience(60, begin);
  EXPECT_EQ(patience.next_pause(std::nullopt, 5, begin), 1);
  EXPECT_EQ(patience.next_pause(std::nullopt, 5, begin + seconds(1)), 2);
  for (const double pause : {4, 8, 15, 15})
    EXPECT_EQ(patience.next_pause(std::nullopt, 5, begin + seconds(3)), pause);
  EXPECT_EQ(patience.next_pause(std::nullopt, 5, begin + seconds(46)), std::nullopt);
  EXPECT_EQ(SavePatience(0, begin).next_pause(std::nullopt, 5, begin), std::nullopt);
}

TEST(SavePatience, LeavesTimeForASaveBeforeTheJobEnds) {
  const Clock::time_point begin{};
  SavePatience patience(600, begin);
  EXPECT_EQ(patience.next_pause(20, 5, begin), 1);
  EXPECT_EQ(patience.next_pause(9, 5, begin), std::nullopt) << "2 s, a save of 5 s, and 3 s";
  EXPECT_EQ(patience.next_pause(-1, 0, begin), std::nullopt);
}

}  // namespace
}  // namespace lynceus::train
