// Gradients and results that become NaN on one rank: all ranks stop, skip the step or go back
// alike, on every grid, and the report names rank, parameter and samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "nonfinite_lines.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// The list of a member, in one piece.
std::string list(const std::string& line, const std::string& key) {
  const size_t at = line.find("\"" + key + "\": [");
  if (at == std::string::npos) return "no " + key;
  const size_t begin = at + key.size() + 4;
  return line.substr(begin, line.find(']', begin) + 1 - begin);
}

struct Case {
  int tensor, pipeline, data;
  int gradient_rank;  ///< where a gradient becomes NaN
  int output_rank;    ///< where a result becomes NaN
  int ranks() const { return tensor * pipeline * data; }
  std::string name() const { return fmt::format("{}x{}x{}", tensor, pipeline, data); }
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name(); }

/// Eight steps of eight samples, each with a checkpoint unless told otherwise.
Arguments arguments_of(const Case& c, const fs::path& run, const Arguments& more) {
  return train_arguments(run) + grid(c.tensor, c.pipeline, c.data) +
         Arguments{"--train.steps",          "8",  "--checkpoint.every", "1",
                   "--checkpoint.keep_last", "20", "--log.samples"} +
         more;
}

class NonfiniteFault : public testing::TestWithParam<Case> {
 protected:
  Output start(const std::string& name, const Arguments& more) {
    return run(arguments_of(GetParam(), folder_ / name, more), {.ranks = GetParam().ranks()});
  }
  /// Names of the samples of a step, as the report has them.
  std::set<std::string> names_of(const std::string& name, int64_t step) const {
    std::set<std::string> names;
    for (const std::string& line : lines_of(folder_ / name / "samples.tsv")) {
      std::istringstream in(line);
      std::string number, index, dataset, key;
      std::getline(in, number, '\t');
      std::getline(in, index, '\t');
      std::getline(in, dataset, '\t');
      std::getline(in, key, '\t');
      if (std::stoll(number) == step) names.insert("\"" + dataset + " " + key + "\"");
    }
    return names;
  }
  /// The samples of a report are some of those of the step.
  void expect_samples(const std::string& name, const std::string& line, int64_t step) const {
    std::string samples = list(line, "samples");
    samples = samples.substr(1, samples.size() - 2);
    ASSERT_FALSE(samples.empty()) << line;
    const std::set<std::string> all = names_of(name, step);
    size_t count = 0;
    for (size_t begin = 0; begin < samples.size();) {
      const size_t end = std::min(samples.find("\", \"", begin), samples.size() - 1) + 1;
      EXPECT_TRUE(all.contains(samples.substr(begin, end - begin)))
          << samples.substr(begin, end - begin) << " is not in step " << step;
      begin = end + 2;
      ++count;
    }
    if (GetParam().data > 1) {
      EXPECT_LT(count, 8u) << "samples of all replicas: " << line;
    }
  }

  const Folder folder_{"nonfinite"};
};

TEST_P(NonfiniteFault, SkipLeavesTheUpdateOut) {
  const Case c = GetParam();
  const Output output = start("skip", {"--train.nonfinite", "skip", "--fault",
                                       fmt::format("step.gradient@{}#4:do,step.output@{}#6:do",
                                                   c.gradient_rank, c.output_rank)});
  ASSERT_EQ(output.code, 0) << output.all();
  ASSERT_EQ(start("straight", {}).code, 0);
  const fs::path skip = folder_ / "skip", straight = folder_ / "straight";

  EXPECT_EQ(digests_of(skip, 3), digests_of(straight, 3));
  EXPECT_EQ(digests_of(skip, 4), digests_of(skip, 3)) << "values, moments or step counts moved";
  EXPECT_NE(digests_of(skip, 5), digests_of(skip, 4));
  EXPECT_EQ(digests_of(skip, 6), digests_of(skip, 5));
  EXPECT_NE(digests_of(skip, 7), digests_of(skip, 6));
  EXPECT_THAT(io::read_manifest(checkpoint(skip, 8)).left_out,
              ElementsAre(io::LeftOutStep{4, false, 24, 32}, io::LeftOutStep{6, false, 40, 48}));
  // The step counts: its number, its samples, its learning rate.
  const auto steps = lines_of_kind(skip, "step"), expected = lines_of_kind(straight, "step");
  ASSERT_EQ(steps.size(), 8u);
  for (size_t i = 0; i < 8; ++i)
    for (const char* key : {"step", "samples_seen", "scored_tokens", "lr"})
      EXPECT_EQ(member(steps[i], key), member(expected[i], key)) << key;
  EXPECT_EQ(indexes_of(skip, 5), range(32, 40));

  const auto reports = lines_of_kind(skip, "nonfinite");
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_THAT(reports[0], AllOf(HasSubstr("{\"step\": 4, "), HasSubstr("\"policy\": \"skip\""),
                                HasSubstr("\"place\": \"backward\""),
                                HasSubstr(fmt::format("\"ranks\": [{}]", c.gradient_rank)),
                                Not(HasSubstr("\"parameters\": []"))));
  EXPECT_THAT(reports[1], AllOf(HasSubstr("{\"step\": 6, "), HasSubstr("\"place\": \"forward\""),
                                HasSubstr(fmt::format("\"ranks\": [{}]", c.output_rank))));
  expect_samples("skip", reports[0], 4);
  expect_samples("skip", reports[1], 6);
  for (const std::string& text : {output.err, io::read_text(skip / "log" / "train.log")})
    EXPECT_THAT(text, AllOf(HasSubstr(fmt::format("step 4: values that are not finite arose in the "
                                                  "backward pass; rank {}",
                                                  c.gradient_rank)),
                            HasSubstr("step 4: parameters with such gradients: "),
                            HasSubstr("step 4: samples of the rank: "),
                            HasSubstr("(train.nonfinite = skip)"),
                            HasSubstr("this start fails on purpose")));
  EXPECT_THAT(lines_of_kind(straight, "nonfinite"), IsEmpty()) << "a false alarm";
}

TEST_P(NonfiniteFault, RollbackLeavesTheSamplesOut) {
  const Case c = GetParam();
  const Output output =
      start("back", {"--train.nonfinite", "rollback", "--checkpoint.every", "3", "--fault",
                     fmt::format("step.gradient@{}#5:do", c.gradient_rank)});
  ASSERT_EQ(output.code, 0) << output.all();
  const fs::path back = folder_ / "back";
  EXPECT_THAT(output.err,
              HasSubstr("went back from step 4 to the checkpoint of step 3; the samples "
                        "32 to 39 are left out from now on"));
  EXPECT_THAT(io::read_manifest(checkpoint(back, 8)).left_out,
              ElementsAre(io::LeftOutStep{5, true, 32, 40}));
  EXPECT_EQ(io::read_manifest(checkpoint(back, 8)).samples_seen, 64);
  EXPECT_EQ(metrics_of(back).steps.size(), 8u);
  EXPECT_EQ(lines_of_kind(back, "step", "metrics.superseded.jsonl").size(), 1u);
  EXPECT_EQ(indexes_of(back, 4), range(24, 32));
  EXPECT_EQ(indexes_of(back, 5), range(40, 48));
  EXPECT_EQ(indexes_of(back, 8), range(64, 72));
  const auto reports = lines_of_kind(back, "nonfinite");
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0], AllOf(HasSubstr("{\"step\": 5, "), HasSubstr("\"policy\": \"rollback\""),
                                HasSubstr(fmt::format("\"ranks\": [{}]", c.gradient_rank))));

  // Stopped on the way and resumed: the same to the bit.
  const Arguments stopped = {"--train.nonfinite", "rollback", "--checkpoint.every", "3"};
  ASSERT_EQ(
      start("again", stopped + Arguments{"--stop-after", "6", "--fault",
                                         fmt::format("step.gradient@{}#5:do", c.gradient_rank)})
          .code,
      0);
  const Output again = start("again", stopped);
  ASSERT_EQ(again.code, 0) << again.all();
  EXPECT_EQ(digests_of(folder_ / "again", 8), digests_of(back, 8));
  EXPECT_EQ(metrics_of(folder_ / "again").steps, metrics_of(back).steps);
}

TEST_P(NonfiniteFault, StopKeepsTheLastGoodState) {
  const Case c = GetParam();
  const Output output = start("stop", {"--checkpoint.every", "0", "--fault",
                                       fmt::format("step.output@{}#3:do", c.output_rank)});
  EXPECT_EQ(output.code, 5) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("lynceus: step 3: the loss is "), HasSubstr(": nothing was updated"),
                    HasSubstr("; the checkpoint of step 2 has the last good state"),
                    HasSubstr(fmt::format("arose in the forward pass; rank {}", c.output_rank))));
  const auto reports = lines_of_kind(folder_ / "stop", "nonfinite");
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0], HasSubstr("\"policy\": \"stop\""));
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "stop", 2)).left_out, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(EveryGrid, NonfiniteFault,
                         testing::Values(Case{2, 1, 1, 1, 1}, Case{1, 2, 1, 1, 0},
                                         Case{2, 1, 2, 3, 3}, Case{2, 2, 1, 3, 1}),
                         [](const auto& instance) { return "Grid" + instance.param.name(); });

}  // namespace
}  // namespace lynceus::cli_test
