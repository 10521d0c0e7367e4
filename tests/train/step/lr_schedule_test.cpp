// The learning rate: ends of warm-up and decay, both shapes of the decay, no warm-up.
#include "train/step/lr_schedule.h"

#include <gtest/gtest.h>

namespace lynceus::train {
namespace {

OptimizerConfig config(const std::string& schedule) {
  OptimizerConfig config;
  config.lr = 1e-4;
  config.warmup_start_lr = 1e-5;
  config.warmup_share = 0.05;
  config.final_lr = 2e-6;
  config.schedule = schedule;
  return config;
}

TEST(LearningRate, WarmsUpLinearlyFromItsStartValue) {
  for (const char* schedule : {"linear", "cosine", "constant"}) {
    EXPECT_DOUBLE_EQ(learning_rate(config(schedule), 0, 1000), 1e-5);
    EXPECT_DOUBLE_EQ(learning_rate(config(schedule), 25, 1000), 5.5e-5);
    EXPECT_DOUBLE_EQ(learning_rate(config(schedule), 50, 1000), 1e-4);
  }
}

TEST(LearningRate, DecaysToItsLastValue) {
  EXPECT_DOUBLE_EQ(learning_rate(config("linear"), 525, 1000), 5.1e-5);
  EXPECT_DOUBLE_EQ(learning_rate(config("cosine"), 525, 1000), 5.1e-5);
  // A quarter of the way from step 40 to 800: 3/4 of a line, (1 + cos 45°) / 2 of a cosine.
  EXPECT_NEAR(learning_rate(config("linear"), 230, 800), 2e-6 + 0.75 * 9.8e-5, 1e-16);
  EXPECT_NEAR(learning_rate(config("cosine"), 230, 800), 2e-6 + 0.85355339059327 * 9.8e-5, 1e-16);
  for (const char* schedule : {"linear", "cosine"}) {
    EXPECT_DOUBLE_EQ(learning_rate(config(schedule), 1000, 1000), 2e-6);
    EXPECT_DOUBLE_EQ(learning_rate(config(schedule), 5000, 1000), 2e-6);
  }
  EXPECT_DOUBLE_EQ(learning_rate(config("constant"), 999, 1000), 1e-4);
}

TEST(LearningRate, FallsWithEveryStepAfterTheWarmUp) {
  for (const char* schedule : {"linear", "cosine"})
    for (int64_t step = 50; step < 999; ++step)
      EXPECT_GT(learning_rate(config(schedule), step, 1000),
                learning_rate(config(schedule), step + 1, 1000));
}

TEST(LearningRate, WithoutWarmUpStartsAtTheTop) {
  OptimizerConfig none = config("linear");
  none.warmup_share = 0;
  EXPECT_DOUBLE_EQ(learning_rate(none, 0, 10), 1e-4);
  none.warmup_share = 1;  // warm-up only
  EXPECT_DOUBLE_EQ(learning_rate(none, 0, 10), 1e-5);
  EXPECT_DOUBLE_EQ(learning_rate(none, 9, 10), 1e-5 + 0.9 * 9e-5);
}

}  // namespace
}  // namespace lynceus::train
