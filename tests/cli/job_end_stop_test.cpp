// A run stops with a committed checkpoint before its job ends, without any signal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/utc.h"
#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class JobEndStop : public testing::Test {
 protected:
  const Folder folder_{"job-end"};
  const fs::path run_ = folder_ / "run";
  const Arguments endless_ = train_arguments(run_) + Arguments{"--train.steps", "1000000"};

  static Launch ending_at(double unix_seconds, int ranks) {
    return {.ranks = ranks, .environment = {fmt::format("LYNCEUS_JOB_END={:.1f}", unix_seconds)}};
  }
  /// How long a job must be that does some steps: on a busy machine a start alone takes seconds.
  double seconds_of_a_job(int ranks) const {
    static const double one_step = [&] {
      const double begin = unix_now();
      run(train_arguments(folder_ / "timed") + Arguments{"--stop-after", "1"}, {.ranks = ranks});
      return unix_now() - begin;
    }();
    return 6 + 2 * one_step;
  }
  std::vector<io::Json> incarnations() const {
    std::vector<io::Json> lines;
    for (const std::string& line : lines_of(run_ / "incarnations.jsonl"))
      lines.push_back(io::Json::parse(line, "incarnations.jsonl"));
    return lines;
  }
};

TEST_F(JobEndStop, CommitsInTime) {
  const double seconds = seconds_of_a_job(2), end = unix_now() + seconds;
  const Output output = run(endless_, ending_at(end, 2));
  const double left = end - unix_now();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_GT(left, 0) << "cut off";
  EXPECT_LT(left, 5 + 1) << "a step and a save take less than a second";
  EXPECT_THAT(output.err, HasSubstr("(LYNCEUS_JOB_END), in "));
  const auto steps = numbers_of(run_, "step");
  ASSERT_FALSE(steps.empty()) << output.all();
  const auto last = static_cast<int64_t>(steps.back());
  EXPECT_TRUE(fs::exists(checkpoint(run_, last) / io::kManifestName)) << "no step is lost";
  EXPECT_THAT(output.err,
              HasSubstr(fmt::format("stopped before the end of the job after step {};", last)));
  EXPECT_THAT(output.err, Not(HasSubstr("asked to stop")));
  const io::Json line = incarnations().back();
  EXPECT_EQ(line.at("event").string(), "end");
  EXPECT_EQ(line.at("exit_code").integer(), 75);
  EXPECT_EQ(line.at("committed_step").integer(), last);
  EXPECT_FALSE(line.at("by_request").boolean());

  const Output again = run(endless_ + Arguments{"--stop-after", std::to_string(last + 2)},
                           ending_at(unix_now() + 1000, 2));
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr(fmt::format("resumed from step {},", last)));
}

TEST_F(JobEndStop, MaxHoursIsSuchAnEnd) {
  const std::string hours = fmt::format("{:.4f}", seconds_of_a_job(2) / 3600);
  const Output output = run(endless_ + Arguments{"--train.max_hours", hours});
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, HasSubstr("(train.max_hours = 0.0"));
  EXPECT_GT(numbers_of(run_, "step").size(), 1u);
}

TEST_F(JobEndStop, WithoutTimeForAStepItDoesNoHarm) {
  ASSERT_EQ(run(endless_ + Arguments{"--stop-after", "2"}).code, 0);
  const auto before = digests_of(run_, 2);
  for (const double seconds : {-100.0, 1.0}) {
    const Output output = run(endless_, ending_at(unix_now() + seconds, 2));
    EXPECT_EQ(output.code, 75) << output.all();
    EXPECT_THAT(output.err, HasSubstr("no time for a step and a save")) << output.all();
  }
  EXPECT_EQ(numbers_of(run_, "step").size(), 2u);
  EXPECT_EQ(digests_of(run_, 2), before);
}

TEST_F(JobEndStop, LeavesAValidation) {
  const Arguments held = {"--data.validation", "held:" + shard("validation-Color"),
                          "--train.validate_every", "1"};
  const double seconds = seconds_of_a_job(2), end = unix_now() + seconds;
  const Output output = run(endless_ + held, ending_at(end, 0));
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_GT(end - unix_now(), 0);
}

TEST_F(JobEndStop, TheSummaryNamesWhereTheTimeWent) {
  const Output output =
      run(endless_ + Arguments{"--stop-after", "5"}, ending_at(unix_now() + 500, 2));
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("summary: steps 1 to 5 in "));
  EXPECT_THAT(output.err, HasSubstr("where the time went"));
  const io::Json summary = io::Json::read(run_ / "summary.json");
  EXPECT_EQ(summary.at("last_step").integer(), 5);
  EXPECT_NEAR(summary.at("requested").at("seconds").number(), 500, 20);
  EXPECT_GT(summary.at("used").at("node_memory_bytes").integer(), 10 << 20);
  const io::Json time = summary.at("this_start").at("time");
  double parts = 0;
  for (const char* part :
       {"start", "load", "step", "save", "lost", "validation", "waiting", "other"})
    parts += time.at(part).number();
  EXPECT_NEAR(parts, time.at("total").number(), 0.01);
  EXPECT_GT(time.at("step").number(), 0);
  EXPECT_GT(time.at("save").number(), 0);
  EXPECT_EQ(time.at("lost").number(), 0);
}

}  // namespace
}  // namespace lynceus::cli_test
