// The log of a run in the user's terms: means, totals, what changed, what went wrong, what is next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class TrainLog : public testing::Test {
 protected:
  std::string text() const { return io::read_text(run_ / "log" / "train.log"); }

  const Folder folder_{"train-log"};
  const fs::path run_ = folder_ / "run";
  const Arguments arguments_ = train_arguments(run_);
};

TEST_F(TrainLog, StepLinesAreMeansOverTheirWindow) {
  const Arguments steps = {"--train.steps", "6", "--log.every", "3"};
  ASSERT_EQ(run(arguments_ + steps).code, 0);
  const auto losses = numbers_of(run_, "loss");
  ASSERT_EQ(losses.size(), 6u);
  for (const size_t first : {size_t{0}, size_t{3}}) {
    const double mean = (losses[first] + losses[first + 1] + losses[first + 2]) / 3;
    EXPECT_THAT(text(), HasSubstr(fmt::format("mean loss {:.4f}", mean)));
  }
  EXPECT_THAT(text(), AllOf(HasSubstr("step 3 of 6  epoch "), HasSubstr("step 6 of 6  epoch ")));
}

TEST_F(TrainLog, SaysWhatTheModelHasOnEveryGrid) {
  const auto parameters = [&](const std::string& log) {
    const size_t at = log.find(" parameters: ");
    const size_t begin = log.rfind(" I ", at);
    return at == std::string::npos ? "" : log.substr(begin, log.find('\n', at) - begin);
  };
  ASSERT_EQ(run(arguments_ + Arguments{"--stop-after", "1"}).code, 0);
  const std::string one = parameters(text());
  EXPECT_THAT(one,
              AllOf(HasSubstr("trained (bridge, adapter)"), HasSubstr("frozen (vision, llm)")));
  EXPECT_THAT(text(), ContainsRegex("memory of the first step: at most [0-9.]+ [KM]iB on a rank"));
  fs::remove_all(run_);
  ASSERT_EQ(run(arguments_ + Arguments{"--stop-after", "1", "--parallel.tensor", "2",
                                       "--parallel.pipeline", "2"},
                {.ranks = 8})
                .code,
            0);
  EXPECT_EQ(parameters(text()), one);

  // A tied embedding is one matrix, also where the head on the last stage is a copy of it.
  std::vector<std::string> tied;
  for (const Arguments& layout : {grid(1, 1, 1), grid(1, 2, 1), grid(2, 2, 1)}) {
    fs::remove_all(run_);
    const Arguments more = {"--model.tie_word_embeddings", "true", "--stop-after", "1"};
    ASSERT_EQ(
        run(arguments_ + more + layout, {.ranks = std::stoi(layout[1]) * std::stoi(layout[3])})
            .code,
        0);
    tied.push_back(parameters(text()));
    EXPECT_EQ(tied.back(), tied.front());
  }
  EXPECT_NE(tied.front(), one);
}

TEST_F(TrainLog, SaysWhatChangedAndWhatIsNext) {
  const Arguments steps = {"--train.steps", "3"};
  ASSERT_EQ(run(arguments_ + steps + Arguments{"--stop-after", "2"}).code, 0);
  EXPECT_THAT(text(), AllOf(HasSubstr("stopped after step 2 of 3: 16 samples"),
                            HasSubstr("to continue, run the same command without --stop-after 2"),
                            Not(HasSubstr("changed since the checkpoint"))));
  ASSERT_EQ(run(arguments_ + steps + Arguments{"--parallel.tensor", "2", "--log.every", "7"},
                {.ranks = 2})
                .code,
            0);
  EXPECT_THAT(text(), AllOf(HasSubstr("changed since the checkpoint: parallel.tensor from 1 to 2"),
                            HasSubstr("changed since the checkpoint: log.every from"),
                            HasSubstr("finished after step 3 of 3: 24 samples; 1 step in "),
                            HasSubstr("next: lynceus export --checkpoint " + run_.string())));
}

TEST_F(TrainLog, ANumberThatIsNotFiniteLeavesTheLastGoodState) {
  // A learning rate that makes the second or third step overflow.
  const Arguments diverge = {
      "--train.steps", "50", "--optimizer.lr", "1e30", "--optimizer.warmup_start_lr", "1e30"};
  const Output output = run(arguments_ + diverge, {.ranks = 2});
  ASSERT_EQ(output.code, 5) << output.all();
  const auto good = static_cast<int64_t>(numbers_of(run_, "step").back());
  ASSERT_GT(good, 0);
  const std::string message = fmt::format("step {}: the loss is ", good + 1);
  const std::string state =
      fmt::format("; the checkpoint of step {} has the last good state", good);
  EXPECT_THAT(output.err, AllOf(HasSubstr(message), HasSubstr(state)));
  EXPECT_EQ(output.messages(), 1);
  EXPECT_THAT(text(), AllOf(ContainsRegex(" E step [0-9]+: the loss is "), HasSubstr(state)));
  EXPECT_EQ(io::read_manifest(checkpoint(run_, good)).step, good);
  // The same again: it fails at the same step, and the checkpoint stays.
  const Output again = run(arguments_ + diverge);
  EXPECT_EQ(again.code, 5) << again.all();
  EXPECT_THAT(again.err, AllOf(HasSubstr(message), HasSubstr(state)));
}

TEST_F(TrainLog, ANumberThatIsNotFiniteIsSaidThoughNothingCanBeSaved) {
  // The saves of steps 1 and 2 fail (the first one is the trial), and so does that of the last good
  // state: the third in a row.
  const Arguments diverge = {"--train.steps",  "50",   "--checkpoint.every",       "1",
                             "--optimizer.lr", "1e30", "--optimizer.warmup_share", "0.06"};
  const Output output =
      run(arguments_ + diverge,
          {.ranks = 2,
           .environment = {"LYNCEUS_FAULT=checkpoint.begin@0#2=enospc,checkpoint.begin@0#3=enospc,"
                           "checkpoint.begin@0#4=enospc"}});
  ASSERT_EQ(output.code, 5) << output.all();
  EXPECT_EQ(output.messages(), 1);
  const std::string state =
      "; the last good state, of step 2, could not be saved: 3 saves failed in a row, ";
  EXPECT_THAT(output.err, AllOf(HasSubstr("step 3: the loss is "), HasSubstr(state)));
  EXPECT_THAT(text(), AllOf(ContainsRegex(" E step 3: the loss is "), HasSubstr(state)));
}

TEST_F(TrainLog, HasTheLinesFromTheStart) {
  ASSERT_EQ(run(arguments_ + Arguments{"--stop-after", "1"}, {.ranks = 2}).code, 0);
  EXPECT_THAT(text(), AllOf(HasSubstr(" I computing on 2 x CPU, f32\n"),
                            HasSubstr(" I each rank may use "), HasSubstr(" I tokenizer ")));
  EXPECT_LT(text().find("computing on"), text().find("tokenizer "));
}

TEST_F(TrainLog, KeepsTheErrorThatEndedTheRun) {
  ASSERT_EQ(run(arguments_ + Arguments{"--stop-after", "1"}).code, 0);
  ASSERT_EQ(run(arguments_ + Arguments{"--train.seed", "99"}).code, 2);
  EXPECT_THAT(text(), ContainsRegex(" E cannot resume from step 1: .*\ntrain.seed: "));
}

TEST_F(TrainLog, KeepsTheErrorOfOneRank) {
  const Output output =
      run(arguments_, {.ranks = 2, .environment = {"LYNCEUS_FAULT=step.before_reduce@1=throw"}});
  ASSERT_NE(output.code, 0) << output.all();
  EXPECT_THAT(text(), ContainsRegex(" E rank 1: "));
}

}  // namespace
}  // namespace lynceus::cli_test
