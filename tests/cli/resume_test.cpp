// A run that is stopped and resumed equals the uninterrupted run in weights, moments, losses and
// samples: bit-equal on the same grid, up to rounding on another. What may change between the two
// starts, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Resume : public testing::Test {
 protected:
  /// Runs `train` in the test's directory; it must succeed.
  fs::path train(const std::string& name, const Arguments& more, int ranks = 0) {
    const Output output = start(name, more, ranks);
    EXPECT_EQ(output.code, 0) << output.all();
    return folder_ / name;
  }
  Output start(const std::string& name, const Arguments& more, int ranks = 0) {
    return run(train_arguments(folder_ / name) + more, {.ranks = ranks});
  }
  std::vector<std::string> checkpoints(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / name / "checkpoints"))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  const Folder folder_{"resume"};
};

void expect_equal_to_the_bit(const fs::path& straight, const fs::path& other, int64_t step) {
  EXPECT_EQ(digests_of(other, step), digests_of(straight, step));
  EXPECT_EQ(metrics_of(other).steps, metrics_of(straight).steps);
  EXPECT_EQ(metrics_of(other).validations, metrics_of(straight).validations);
}

TEST_F(Resume, OneRankToTheBit) {
  const Arguments common = {"--train.validate_every", "5", "--data.validation",
                            "held:" + shard("validation-Color")};
  const fs::path straight = train("straight", common);
  train("stopped", common + Arguments{"--stop-after", "10"});
  EXPECT_EQ(metrics_of(folder_ / "stopped").steps.size(), 10u);
  EXPECT_EQ(checkpoints("stopped"), (std::vector<std::string>{"latest", "step-00000010"}));
  const Output again = start("stopped", common);
  EXPECT_THAT(again.err, HasSubstr("resumed from step 10, 80 samples seen")) << again.all();
  EXPECT_EQ(metrics_of(straight).steps.size(), 20u);
  EXPECT_EQ(metrics_of(straight).validations.size(), 4u);
  expect_equal_to_the_bit(straight, folder_ / "stopped", 20);
  EXPECT_FALSE(fs::exists(folder_ / "stopped" / "metrics.superseded.jsonl"));

  const Output done = start("stopped", common);
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.err, HasSubstr("step 20 is already done"));
  expect_equal_to_the_bit(straight, folder_ / "stopped", 20);
}

TEST_F(Resume, FourRanksToTheBitAndAnotherGridToRounding) {
  const fs::path straight = train("straight", grid(2, 2, 1), 4);
  train("stopped", grid(2, 2, 1) + Arguments{"--stop-after", "10"}, 4);
  fs::copy(folder_ / "stopped", folder_ / "regridded", fs::copy_options::recursive);
  train("stopped", grid(2, 2, 1), 4);
  expect_equal_to_the_bit(straight, folder_ / "stopped", 20);

  // The grid and the micro-batches change no sample and no key that a resume checks.
  const fs::path other =
      train("regridded", grid(1, 1, 2) + Arguments{"--train.micro_batch_tokens", "64"}, 2);
  EXPECT_EQ(numbers_of(other, "samples_seen"), numbers_of(straight, "samples_seen"));
  EXPECT_EQ(numbers_of(other, "scored_tokens"), numbers_of(straight, "scored_tokens"));
  const auto losses = numbers_of(other, "loss"), expected = numbers_of(straight, "loss");
  ASSERT_EQ(losses.size(), 20u);
  for (size_t i = 0; i < 20; ++i) EXPECT_NEAR(losses[i] / expected[i], 1, 1e-5) << "step " << i + 1;
}

TEST_F(Resume, FromAnOlderStep) {
  const Arguments common = {"--checkpoint.every", "5", "--checkpoint.keep_last", "9"};
  const fs::path straight = train("straight", common);
  const auto before = digests_of(straight, 15);
  const auto lines = lines_of(straight / "metrics.jsonl");
  train("straight", common + Arguments{"--resume", "10", "--stop-after", "15"});
  EXPECT_EQ(digests_of(straight, 15), before);
  EXPECT_THAT(numbers_of(straight, "step"),
              ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_EQ(lines_of(straight / "metrics.superseded.jsonl"),
            std::vector<std::string>(lines.begin() + 10, lines.end()));
  EXPECT_EQ(checkpoints("straight"),
            (std::vector<std::string>{"latest", "step-00000005", "step-00000010", "step-00000015",
                                      "superseded-step-00000015", "superseded-step-00000020"}));
  const Output none = start("straight", common + Arguments{"--resume", "7"});
  EXPECT_EQ(none.code, 3) << none.all();
  EXPECT_THAT(none.err,
              HasSubstr("has no committed checkpoint of step 7: it has those of the steps 5, 10"));
  const Output no_step = start("straight", {"--resume", "soon"}, 2);
  EXPECT_EQ(no_step.code, 2) << no_step.all();
  EXPECT_EQ(no_step.messages(), 1) << no_step.all();
  EXPECT_THAT(no_step.err, HasSubstr("resume: expected auto, never or a step, found 'soon'"));
}

TEST_F(Resume, NeverStartsOver) {
  const fs::path straight = train("run", {"--stop-after", "4"});
  const auto before = digests_of(straight, 4);
  const auto lines = metrics_of(straight).steps;
  train("run", {"--stop-after", "4", "--resume", "never"});
  EXPECT_EQ(digests_of(straight, 4), before);
  EXPECT_EQ(metrics_of(straight).steps, lines);
  EXPECT_EQ(lines_of(straight / "metrics.superseded.jsonl").size(), 4u);
  EXPECT_EQ(checkpoints("run"),
            (std::vector<std::string>{"latest", "step-00000004", "superseded-step-00000004"}));
}

TEST_F(Resume, ChangedKeysAreRefusedByName) {
  train("run", {"--stop-after", "2"});
  const std::string config = io::read_text(folder_ / "run" / "config.ini");
  const Arguments changed = {"--stop-after", "4", "--optimizer.lr", "2e-3", "--train.seed", "7"};
  for (const int ranks : {0, 2}) {
    const Output refused = start("run", changed, ranks);
    EXPECT_EQ(refused.code, 2) << refused.all();
    EXPECT_EQ(refused.messages(), 1) << refused.all();
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr("cannot resume from step 2"),
                      HasSubstr("optimizer.lr: the checkpoint has 0.001, this run 0.002"),
                      HasSubstr("train.seed: the checkpoint has 1, this run 7"),
                      HasSubstr("frozen llm weights: the checkpoint has random (seed 1, std ")));
  }
  EXPECT_EQ(io::read_text(folder_ / "run" / "config.ini"), config) << "a refused run changed it";
  EXPECT_EQ(metrics_of(folder_ / "run").steps.size(), 2u);

  const Output other_data =
      start("run", {"--data.source", "captions:1:" + shard("train-Counting")});
  EXPECT_EQ(other_data.code, 2);
  EXPECT_THAT(other_data.err, AllOf(HasSubstr("data.source"), HasSubstr("data.source captions")));

  const Output mistyped = start("run", {"--allow-change", "data.sorce"}, 2);
  EXPECT_EQ(mistyped.code, 2) << mistyped.all();
  EXPECT_EQ(mistyped.messages(), 1) << mistyped.all();
  EXPECT_THAT(mistyped.err, HasSubstr("allow-change: unknown key 'data.sorce'; the nearest known "
                                      "one is 'data.source'"));

  const Arguments lr = {"--stop-after", "4", "--optimizer.lr", "2e-3"};
  EXPECT_EQ(start("run", lr + Arguments{"--allow-change", "optimizer.eps"}).code, 2);
  train("run", lr + Arguments{"--allow-change", "optimizer.lr"});
  const std::string last = metrics_of(folder_ / "run").steps.back();
  EXPECT_THAT(last, HasSubstr("step 4 "));
  EXPECT_GT(numbers_of(folder_ / "run", "lr").back(), 1e-3);
  EXPECT_THAT(io::read_text(folder_ / "run" / "config.ini"), HasSubstr("lr = 0.002"));
}

TEST_F(Resume, OtherDataWhenAllowed) {
  const Arguments other = {"--stop-after", "4", "--data.source",
                           "captions:1:" + shard("train-Counting"),
                           "more:1:" + shard("train-Color")};
  train("run", {"--stop-after", "2"});
  const Output refused = start("run", other);
  EXPECT_EQ(refused.code, 2) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("data.source captions: the checkpoint has "));
  train("run", other + Arguments{"--allow-change", "data.source"});
  EXPECT_EQ(metrics_of(folder_ / "run").steps.size(), 4u);
}

TEST_F(Resume, SwappedTokenizerIsRefused) {
  const fs::path model = folder_ / "tokenizer.model";
  const Arguments with = {"--data.tokenizer", model, "--stop-after", "2"};
  fs::copy_file(shapes_data() / "tokenizer.model", model);
  train("run", with);
  ASSERT_EQ(run({"prepare", "shapes", "--count", "30", "--seed", "6", "--output", folder_ / "other",
                 "--train-tokenizer", "320"})
                .code,
            0);
  fs::copy_file(folder_ / "other" / "tokenizer.model", model, fs::copy_options::overwrite_existing);
  const Output refused = start("run", with + Arguments{"--stop-after", "4"});
  EXPECT_EQ(refused.code, 2) << refused.all();
  EXPECT_THAT(refused.err, testing::ContainsRegex("tokenizer: the checkpoint has [0-9a-f]{32} .320 "
                                                  "pieces., this run [0-9a-f]{32} .320 pieces. "
                                                  ".--allow-change cannot permit this."));
}

TEST_F(Resume, StageTwoStartsFromStageOne) {
  const fs::path one = train("one", {"--stop-after", "6"});
  // With learning rate 0 nothing changes: stage 2 saves what it started from.
  const Arguments two = {"--init",
                         checkpoint(one, 6),
                         "--data.source",
                         "color:1:" + shard("train-Color"),
                         "--train.seed",
                         "1",
                         "--optimizer.lr",
                         "0",
                         "--optimizer.warmup_start_lr",
                         "0"};
  train("two", two + Arguments{"--stop-after", "1"}, 2);
  EXPECT_EQ(digests_of(folder_ / "two", 1, "/value"), digests_of(one, 6, "/value"));
  EXPECT_NE(digests_of(folder_ / "two", 1, "/m"), digests_of(one, 6, "/m"));
  EXPECT_THAT(metrics_of(folder_ / "two").steps, ElementsAre(HasSubstr("step 1 samples_seen 8 ")));

  const Output again = start("two", two + Arguments{"--stop-after", "2"});
  EXPECT_THAT(again.err, AllOf(HasSubstr("resumed from step 1"), Not(HasSubstr("start from"))));

  const Output absent = start("three", {"--init", folder_ / "absent"});
  EXPECT_EQ(absent.code, 3) << absent.all();
  EXPECT_THAT(absent.err,
              AllOf(HasSubstr("absent"),
                    HasSubstr("expected a run, a checkpoint or a file of weights, found none")));
  const Output other_model =
      start("three", {"--init", checkpoint(one, 6), "--bridge.num_latents", "5"}, 2);
  EXPECT_EQ(other_model.messages(), 1) << other_model.all();
  EXPECT_EQ(other_model.code, 3) << other_model.all();
  EXPECT_THAT(other_model.err, AllOf(HasSubstr("bridge.latents"), HasSubstr("4"), HasSubstr("5")));
}

TEST_F(Resume, BackboneTrainedHereThenFrozen) {
  const Arguments text = {"--data.source", "text:1:" + shard("train-text"), "--train.steps", "4"};
  const fs::path backbone =
      train("backbone", text + Arguments{"--model.train", "llm", "--optimizer.lr", "1e-2"}, 2);
  const std::string from = checkpoint(backbone, 4);
  const Arguments stage = {"--model.init_from", from, "--stop-after", "1"};
  train("frozen", text + stage + grid(2, 1, 1), 2);
  // The same backbone, now trained, with values from --init.
  train("trained", text + Arguments{"--model.train", "llm", "--init", from, "--stop-after", "1"});
  train("random", text + Arguments{"--stop-after", "1"});
  const double frozen = numbers_of(folder_ / "frozen", "loss")[0];
  EXPECT_NEAR(frozen / numbers_of(folder_ / "trained", "loss")[0], 1, 1e-6);
  EXPECT_LT(frozen, numbers_of(folder_ / "random", "loss")[0] - 0.1);

  for (const std::string& tensor : digests_of(folder_ / "frozen", 1))
    EXPECT_THAT(tensor, Not(HasSubstr("embed_tokens")));
  train("other", text + Arguments{"--model.train", "llm", "--optimizer.lr", "2e-2"});
  const Output refused =
      start("frozen", text + Arguments{"--model.init_from", checkpoint(folder_ / "other", 4),
                                       "--allow-change", "model.init_from", "--stop-after", "2"});
  EXPECT_EQ(refused.code, 2) << refused.all();
  EXPECT_THAT(refused.err, AllOf(HasSubstr("frozen llm weights: the checkpoint has "),
                                 HasSubstr("(--allow-change cannot permit this)")));
}

TEST_F(Resume, EvaluateSaysWhatTheRunSaid) {
  const Arguments validation = {"--data.validation", "held:" + shard("validation-Color")};
  train("run", validation + Arguments{"--train.steps", "6"});
  const std::string said = metrics_of(folder_ / "run").validations.back();
  for (const int ranks : {0, 2}) {
    const Output output = run({"evaluate", "--run", folder_ / "run"}, {.ranks = ranks});
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(member(output.out, "class"), "\"Color\"") << output.all();
    EXPECT_EQ(member(output.out, "count"), "12");
    EXPECT_EQ(member(output.out, "step"), "6");
    EXPECT_EQ(member(output.out, "accuracy"), member(said, "answer_accuracy"));
    EXPECT_NEAR(std::stod(member(output.out, "loss")) / std::stod(member(said, "loss")), 1, 1e-5);
  }
}

}  // namespace
}  // namespace lynceus::cli_test
