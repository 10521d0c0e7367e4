// Stages: the next stage may freeze and train any modules. Weights that are not in the checkpoint,
// and the tokenizer, must be the same as in the stage before, until the stage ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Stage : public testing::Test {
 protected:
  Output start(const std::string& name, const Arguments& more, int ranks = 0) const {
    return run(train_arguments(folder_ / name) + more, {.ranks = ranks});
  }
  fs::path train(const std::string& name, const Arguments& more, int ranks = 0) const {
    const Output output = start(name, more, ranks);
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / name;
  }
  /// Six steps of bridge and adapter.
  fs::path stage_one() const { return train("one", {"--stop-after", "6"}); }
  static void expect_refused(const Output& output, int code, const std::string& message) {
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, ContainsRegex(message));
  }
  /// The digests of tensors whose name contains `part`.
  static std::vector<std::string> values(const fs::path& run_directory, int64_t step,
                                         const std::string& part) {
    std::vector<std::string> kept;
    for (const std::string& text : digests_of(run_directory, step, "/value"))
      if (text.find(part) != std::string::npos) kept.push_back(text);
    return kept;
  }

  const Folder folder_{"stage"};
  // With learning rate 0 nothing changes: the checkpoint has what the run started from.
  const Arguments still_ = {"--optimizer.lr", "0", "--optimizer.warmup_start_lr", "0"};
  const Arguments adapter_alone_ = {"--model.train", "adapter"};
};

TEST_F(Stage, AdapterAloneKeepsTheBridgeAcrossAResume) {
  const std::string from = checkpoint(stage_one(), 6);
  const Arguments two = adapter_alone_ + Arguments{"--init", from, "--data.validation",
                                                   "held:" + shard("validation-Color")};
  const fs::path straight = train("straight", two + Arguments{"--stop-after", "4"});
  // The first loss is that of a stage that continues with both: the bridge is not random.
  train("both", {"--init", from, "--stop-after", "1"});
  EXPECT_EQ(numbers_of(straight, "loss")[0], numbers_of(folder_ / "both", "loss")[0]);
  EXPECT_TRUE(values(straight, 4, "bridge").empty());

  train("stopped", two + Arguments{"--stop-after", "2"}, 2);
  const Output again = start("stopped", two + Arguments{"--stop-after", "4"}, 2);
  EXPECT_THAT(again.err,
              AllOf(HasSubstr("resumed from step 2"), HasSubstr("the bridge was loaded from"),
                    Not(HasSubstr("is frozen and has random values"))))
      << again.all();
  const fs::path two_ranks = train("two-ranks", two + Arguments{"--stop-after", "4"}, 2);
  EXPECT_EQ(digests_of(folder_ / "stopped", 4), digests_of(two_ranks, 4));
  EXPECT_EQ(metrics_of(folder_ / "stopped").steps, metrics_of(two_ranks).steps);
}

TEST_F(Stage, EvaluateAndTheNextStageFindTheFrozenBridge) {
  const fs::path one = stage_one();
  const Arguments validation = {"--data.validation", "held:" + shard("validation-Color")};
  const fs::path two =
      train("two", adapter_alone_ + validation +
                       Arguments{"--init", checkpoint(one, 6), "--train.steps", "3"});
  const Output scores = run({"evaluate", "--run", two});
  EXPECT_EQ(scores.code, 0) << scores.all();
  EXPECT_EQ(member(scores.out, "loss"), member(metrics_of(two).validations.back(), "loss"));

  const fs::path three =
      train("three", still_ + Arguments{"--init", checkpoint(two, 3), "--stop-after", "1"}, 2);
  EXPECT_EQ(values(three, 1, "bridge"), values(one, 6, "bridge"));
  EXPECT_EQ(values(three, 1, "adapter"), values(two, 3, "adapter"));
}

TEST_F(Stage, AFrozenBridgeWhoseCheckpointIsGoneOrAnotherIsRefused) {
  const fs::path one = stage_one();
  const std::string from = checkpoint(one, 6);
  const Arguments two = adapter_alone_ + Arguments{"--init", from};
  train("two", two + Arguments{"--stop-after", "2"});
  train("other", {"--stop-after", "6", "--optimizer.lr", "2e-3"});
  fs::rename(from, folder_ / "aside");
  for (const int ranks : {0, 2})
    expect_refused(start("two", two, ranks), 3,
                   "the frozen bridge was loaded from .*one/checkpoints/step-00000006 and is not "
                   "saved anywhere else, but: .*not a committed checkpoint");
  fs::copy(checkpoint(folder_ / "other", 6), from);
  expect_refused(
      start("two", two), 3,
      "the frozen bridge was loaded from .*: expected digest [0-9a-f]{32}, found [0-9a-f]{32}");
  fs::remove_all(from);
  fs::rename(folder_ / "aside", from);
  train("two", two + Arguments{"--stop-after", "4"});
}

TEST_F(Stage, AFrozenBridgeIsNotKeptByTheRunItself) {
  const fs::path one = stage_one();
  expect_refused(start("one", adapter_alone_ + Arguments{"--init", checkpoint(one, 6), "--resume",
                                                         "never", "--stop-after", "1"}),
                 2, "init: the frozen bridge is only in .*step-00000006, .*choose another --run");
  EXPECT_TRUE(fs::exists(checkpoint(one, 6)));
}

TEST_F(Stage, TheLlmTrainsBehindAStageThatFrozeIt) {
  const fs::path one = stage_one();
  const fs::path two =
      train("two", still_ + Arguments{"--model.train", "bridge,adapter,llm", "--init",
                                      checkpoint(one, 6), "--stop-after", "1"});
  EXPECT_EQ(values(two, 1, "bridge"), values(one, 6, "bridge"));
  EXPECT_EQ(values(two, 1, "adapter"), values(one, 6, "adapter"));
  EXPECT_FALSE(values(two, 1, "embed_tokens").empty());
  // Frozen again, with its trained values.
  const fs::path three = train("three", {"--init", checkpoint(two, 1), "--stop-after", "1"}, 2);
  EXPECT_TRUE(values(three, 1, "embed_tokens").empty());
  EXPECT_EQ(io::read_manifest(checkpoint(three, 1)).frozen_weights.at("llm").checkpoint,
            fs::canonical(checkpoint(two, 1)));
}

TEST_F(Stage, WhatStaysRandomIsSaid) {
  const Output random = start("random", {"--model.train", "llm", "--stop-after", "1"});
  EXPECT_THAT(random.err, AllOf(HasSubstr("the bridge is frozen and has random values"),
                                HasSubstr("the adapter is frozen and has random values")));
}

TEST_F(Stage, AnotherBackboneIsRefused) {
  const fs::path one = stage_one();
  const Arguments other = {"--model.init_std", "0.2"};
  const std::string message =
      "frozen llm weights: the checkpoint has random .seed 1, std 0.1., this run random .seed 1, "
      "std 0.2.";
  const Arguments two = other + Arguments{"--init", checkpoint(one, 6), "--stop-after", "1"};
  for (const int ranks : {0, 2}) expect_refused(start("two", two, ranks), 3, message);
  train("two", two + Arguments{"--allow-change", "model.weights"});

  const Arguments scores = {"evaluate", "--run", one, "--data.validation",
                            "held:" + shard("validation-Color")};
  expect_refused(run(scores + other), 3, message);
  EXPECT_EQ(run(scores + other + Arguments{"--allow-change", "model.weights"}).code, 0);
  expect_refused(run(scores + Arguments{"--allow-change", "model.wieghts"}), 2,
                 "unknown key 'model.wieghts'; the nearest known one is 'model.weights'");
}

TEST_F(Stage, AnotherTokenizerIsRefused) {
  ASSERT_EQ(run({"prepare", "shapes", "--count", "30", "--seed", "6", "--output", folder_ / "other",
                 "--train-tokenizer", "300"})
                .code,
            0);
  const fs::path one = stage_one();
  const fs::path backbone = train("backbone", {"--model.train", "llm", "--stop-after", "1",
                                               "--data.source", "text:1:" + shard("train-text")});
  const Arguments other = {"--data.tokenizer", folder_ / "other" / "tokenizer.model",
                           "--model.vocab_size", "321"};
  const std::string message =
      "tokenizer: the checkpoint has [0-9a-f]{32} .320 pieces., this run [0-9a-f]{32} .300 pieces.";
  const Arguments permit = {"--allow-change", "data.tokenizer"};
  for (const Arguments& start_from : {Arguments{"--init", checkpoint(one, 6)},
                                      Arguments{"--model.init_from", checkpoint(backbone, 1)}}) {
    const Arguments two = other + start_from + Arguments{"--stop-after", "1", "--resume", "never"};
    for (const int ranks : {0, 2}) expect_refused(start("two", two, ranks), 3, message);
    train("two", two + permit);
  }
  const Arguments scores = {"evaluate", "--run", one, "--data.validation",
                            "held:" + shard("validation-Color")};
  expect_refused(run(scores + other, {.ranks = 2}), 3, message);
  EXPECT_EQ(run(scores + other + permit).code, 0);
}

}  // namespace
}  // namespace lynceus::cli_test
