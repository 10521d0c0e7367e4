// A run on several ranks equals the run on one, also for batches that do not divide evenly; it logs
// how the vision branch is distributed and what data.max_tokens cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <sstream>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

class Layout : public testing::Test {
 protected:
  Output train(const std::string& name, const Arguments& more, int ranks = 0) const {
    const Output output = run(
        train_arguments(folder_ / name) + Arguments{"--train.steps", "6"} + more, {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    return output;
  }
  std::vector<double> numbers(const std::string& name, const std::string& key) const {
    return numbers_of(folder_ / name, key);
  }

  const Folder folder_{"layout"};
};

TEST_F(Layout, ABatchThatDoesNotDivideIsTheSameOnEveryGrid) {
  const Arguments five = {"--train.global_batch_size", "5"};
  train("one", five);
  train("two", five + grid(1, 1, 2), 2);
  train("four", five + grid(2, 1, 2), 4);
  for (const std::string name : {"two", "four"}) {
    SCOPED_TRACE(name);
    for (const char* key : {"samples_seen", "scored_tokens", "patch_tokens"})
      EXPECT_EQ(numbers(name, key), numbers("one", key)) << key;
    for (const char* key : {"loss", "grad_norm"}) {
      const auto found = numbers(name, key), expected = numbers("one", key);
      ASSERT_EQ(found.size(), 6u);
      for (size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found[i] / expected[i], 1, 1e-5) << key << " of step " << i + 1;
    }
  }
  EXPECT_EQ(numbers("one", "samples_seen").back(), 30);
}

TEST_F(Layout, TellsHowTheVisionBranchIsSpread) {
  // Eight images per step, each with 2 x 2 patches and the class token.
  const Arguments color = {"--data.source", "color:1:" + shard("train-Color")};
  for (const std::string window : {"0", "1"}) {
    SCOPED_TRACE("vision_window " + window);
    const Output output = train(
        "window" + window,
        color + grid(2, 2, 1) + Arguments{"--train.vision_window", window, "--log.level", "debug"},
        4);
    const std::string mark = "patch features computed (micro-batches kept) by rank: ";
    const size_t at = output.err.find(mark);
    ASSERT_NE(at, std::string::npos) << output.all();
    std::istringstream shares(output.err.substr(at + mark.size()));
    for (int rank = 0; rank < 4; ++rank) {
      int64_t tokens = 0, held = 0;
      char open = 0, close = 0, comma = 0;
      shares >> tokens >> open >> held >> close;
      if (rank < 3) shares >> comma;
      EXPECT_EQ(tokens, 10) << "rank " << rank << " of " << output.err;
      EXPECT_TRUE(open == '(' && held > 0 && close == ')') << output.err;
    }
    EXPECT_EQ(numbers("window" + window, "patch_tokens"), std::vector<double>(6, 40));
    EXPECT_EQ(numbers("window" + window, "patch_tokens_most"), std::vector<double>(6, 10));
  }
}

TEST_F(Layout, CutTokensAreCounted) {
  train("whole", {});
  train("cut", Arguments{"--data.max_tokens", "8"} + grid(1, 1, 2), 2);
  const auto lines = lines_of(folder_ / "cut" / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 6u);
  for (const std::string& line : lines) {
    ASSERT_NE(member(line, "cut_tokens"), "") << line;
    EXPECT_GT(std::stoll(member(line, "cut_tokens")), 0);
  }
  for (const std::string& line : lines_of(folder_ / "whole" / "metrics.jsonl"))
    EXPECT_EQ(member(line, "cut_tokens"), "") << line;
}

}  // namespace
}  // namespace lynceus::cli_test
