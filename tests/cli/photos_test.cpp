// From photographs to a trained model: photographs with captions become shards, and a small model
// learns from them in two stages on 2 x 2 ranks; the first stage is stopped half way and resumed.
// Uses the six photographs of tests/data, and those of LYNCEUS_DATA_DIR/coco if it is set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

class Photos : public testing::Test {
 protected:
  Output start(const std::string& name, const Arguments& more) const {
    const std::string root = LYNCEUS_SOURCE_DIR;
    return run(Arguments{"train",
                         "--config",
                         root + "/configs/model/tiny.ini",
                         "--data.tokenizer",
                         root + "/tests/data/tokenizer/test_model.model",
                         "--data.source",
                         "photos:1:" + shard_,
                         "--data.validation",
                         "photos:" + shard_,
                         "--train.validation_samples",
                         "8",
                         "--data.caption_prompts",
                         "caption",
                         "--data.augment",
                         "false",
                         "--train.global_batch_size",
                         "8",
                         "--optimizer.warmup_start_lr",
                         "5e-4",
                         "--run",
                         folder_ / name} +
                   grid(2, 2, 1) + more,
               {.ranks = 4, .timeout_seconds = 200});
  }
  void train(const std::string& name, const Arguments& more) const {
    const Output output = start(name, more);
    ASSERT_EQ(output.code, 0) << output.all();
  }
  void prepare(const fs::path& captions, int samples) {
    const Output output =
        run({"prepare", "jsonl", "--input", captions, "--output", folder_ / "data"});
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(output.out, HasSubstr(fmt::format("prepared {0} samples, {0} images", samples)));
    shard_ = folder_ / "data" / "captions.h5";
  }
  /// The first loss of stage 1 halves within both stages.
  void expect_to_learn(int steps, int steps_of_stage_2) {
    const Arguments stage1 = {"--train.steps", std::to_string(steps), "--optimizer.lr", "5e-3"};
    train("stage1", stage1 + Arguments{"--stop-after", std::to_string(steps / 2)});
    const Output again = start("stage1", stage1);
    ASSERT_EQ(again.code, 0) << again.all();
    EXPECT_THAT(again.err, HasSubstr(fmt::format("resumed from step {}", steps / 2)));
    train("stage2", {"--init", checkpoint(folder_ / "stage1", steps), "--train.steps",
                     std::to_string(steps_of_stage_2), "--optimizer.lr", "3e-3"});
    expect_finite("stage1", steps);
    expect_finite("stage2", steps_of_stage_2);
    const auto losses = numbers_of(folder_ / "stage2", "loss");
    double last = 0;
    for (size_t i = losses.size() - 10; i < losses.size(); ++i) last += losses[i] / 10;
    EXPECT_LT(last, 0.5 * numbers_of(folder_ / "stage1", "loss").front());
  }
  /// Every value in metrics.jsonl is a number; values that are not finite are written as null.
  void expect_finite(const std::string& name, int steps) const {
    const fs::path file = folder_ / name / "metrics.jsonl";
    int counted = 0;
    for (const std::string& line : lines_of(file)) {
      const io::Json metrics = io::Json::parse(line, file);
      counted += metrics.find("grad_norm").has_value();
      for (const auto& [key, value] : metrics.members())
        EXPECT_TRUE(value.is_string() || std::isfinite(value.number())) << key << " of " << line;
    }
    EXPECT_EQ(counted, steps);
  }

  const Folder folder_{"photos"};
  std::string shard_;
};

TEST_F(Photos, SixTrainBothStages) {
  prepare(fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/captions.jsonl", 30);
  expect_to_learn(80, 40);
}

TEST_F(Photos, AllTrainBothStages) {
  const char* data = std::getenv("LYNCEUS_DATA_DIR");
  if (data == nullptr) GTEST_SKIP() << "LYNCEUS_DATA_DIR is not set";
  prepare(fs::path(data) / "coco/captions.jsonl", 410);
  expect_to_learn(600, 300);
}

}  // namespace
}  // namespace lynceus::cli_test
