// The keys that may change on resume.
#include "train/run/run_state.h"

#include <gtest/gtest.h>

namespace lynceus::train {
namespace {

TEST(MayChangeOnResume, LayoutAndReportOnly) {
  for (const char* key : {"run", "device", "transport", "gemm", "log.every", "checkpoint.every",
                          "parallel.tensor", "train.micro_batch_tokens", "train.vision_window",
                          "train.recompute", "data.loader_threads", "data.validation"})
    EXPECT_TRUE(may_change_on_resume(key)) << key;
  for (const char* key : {"precision", "train.seed", "train.steps", "optimizer.lr", "data.source",
                          "data.max_tokens", "model.train", "vision.image_size", "unknown"})
    EXPECT_FALSE(may_change_on_resume(key)) << key;
}

}  // namespace
}  // namespace lynceus::train
