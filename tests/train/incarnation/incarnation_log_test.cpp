// The record of the starts of a run, the crash-loop brake, the ledger of nodes and the summary.
#include "train/incarnation/incarnation_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/text/utc.h"
#include "io/files/file.h"
#include "train/incarnation/brake.h"
#include "train/incarnation/node_ledger.h"
#include "train/incarnation/summary.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Incarnations : public testing::Test {
 protected:
  Incarnations() {
    fs::remove_all(run_);
    fs::create_directories(run_);
  }
  ~Incarnations() override { fs::remove_all(run_); }

  IncarnationStart start() {
    IncarnationStart start;
    start.run_directory = run_;
    start.owner.token = "token-" + std::to_string(++number_);
    start.owner.job = job_;
    start.nodes = nodes_;
    start.steps = 100;
    return start;
  }
  void commit(int64_t step) {
    const fs::path folder = run_ / "checkpoints" / fmt::format("step-{:08}", step);
    fs::create_directories(folder);
    std::ofstream(folder / "MANIFEST.json") << "{}";
  }
  void metrics(int64_t first, int64_t last) {
    std::ofstream file(run_ / "metrics.jsonl", std::ios::app);
    for (int64_t step = first; step <= last; ++step)
      file << fmt::format("{{\"step\": {}, \"kind\": \"step\", \"step_seconds\": 2}}\n", step);
  }
  /// A start that is killed after it has resumed.
  void killed() { IncarnationLog(start()).resumed(newest_committed_step(run_), 1, 2); }
  void ended(ExitCode code, int64_t committed, bool by_request = false) {
    IncarnationLog log(start());
    log.resumed(newest_committed_step(run_), 1, 2);
    IncarnationEnd end;
    end.exit_code = static_cast<int64_t>(code);
    end.committed_step = committed;
    end.by_request = by_request;
    end.cause = fmt::format("ended with {}", end.exit_code);
    log.end(end);
  }
  bool next_start_is_refused() {
    try {
      const IncarnationLog log(start());
      return false;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kCrashLoop);
      message_ = error.what();
      return true;
    }
  }

  const fs::path run_ = fs::path(testing::TempDir()) / "incarnations";
  std::vector<std::string> nodes_ = {"n1", "n1", "n2"};
  std::string job_ = "42", message_;
  int number_ = 0;
};

TEST_F(Incarnations, AStartIsReadBackAsItWasWritten) {
  commit(40);
  ended(ExitCode::kRequeue, 60);
  const auto read = read_incarnations(run_);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_THAT(read[0].nodes, ElementsAre("n1", "n2"));
  EXPECT_EQ(read[0].ranks, 3);
  EXPECT_EQ(read[0].job, "42");
  EXPECT_EQ(read[0].committed_step, 40);
  EXPECT_EQ(read[0].first_step, 40);
  EXPECT_EQ(read[0].ended->exit_code, 75);
  EXPECT_TRUE(read[0].made_progress());
  EXPECT_NEAR(read[0].ended->end, unix_now(), 10);
}

TEST_F(Incarnations, TheNextStartClosesOneThatWasKilled) {
  commit(3);
  killed();
  commit(5);
  metrics(1, 7);
  IncarnationStart next = start();
  next.former_owner = io::LeaseOwner{};
  next.former_owner->token = "token-1";
  next.former_owner->heartbeat = utc_text(unix_now() + 1000);  // a clock that is ahead
  const IncarnationLog log(next);
  ASSERT_EQ(log.earlier().size(), 1u);
  const IncarnationEnd& end = *log.earlier()[0].ended;
  EXPECT_TRUE(end.killed);
  EXPECT_EQ(end.exit_code, -1);
  EXPECT_EQ(end.last_step, 7);
  EXPECT_EQ(end.committed_step, 5);
  EXPECT_DOUBLE_EQ(end.seconds.step, 4) << "steps 4 and 5";
  EXPECT_DOUBLE_EQ(end.seconds.lost, 4) << "steps 6 and 7";
  EXPECT_LE(end.end, unix_now());
  EXPECT_THAT(end.cause, HasSubstr("killed or lost after step 7"));
  EXPECT_TRUE(log.earlier()[0].made_progress());
  EXPECT_TRUE(read_incarnations(run_)[0].ended->killed) << "it is in the file too";
}

TEST_F(Incarnations, ALineThatACrashCutOffIsSkipped) {
  killed();
  std::ofstream(run_ / kIncarnationsName, std::ios::app) << "{\"event\": \"en";
  killed();
  killed();
  EXPECT_EQ(read_incarnations(run_).size(), 3u);
}

TEST_F(Incarnations, TheFourthStartAfterThreeDeathsIsRefused) {
  commit(8);
  for (int i = 0; i < 3; ++i) {
    killed();
    ASSERT_EQ(read_incarnations(run_).size(), static_cast<size_t>(i + 1));
  }
  ASSERT_TRUE(next_start_is_refused());
  EXPECT_THAT(message_, HasSubstr("without a newer checkpoint than step 8"));
  EXPECT_THAT(message_, HasSubstr("\n  3. began "));
  EXPECT_THAT(message_, HasSubstr("--restart-anyway"));
  EXPECT_EQ(read_incarnations(run_).size(), 3u) << "the refused start is not recorded";
  ASSERT_TRUE(next_start_is_refused());

  IncarnationStart anyway = start();
  anyway.restart_anyway = true;
  { const IncarnationLog log(anyway); }
  EXPECT_FALSE(next_start_is_refused()) << "the forced start is the first of a new row";
  EXPECT_FALSE(next_start_is_refused());
  EXPECT_TRUE(next_start_is_refused());
}

TEST_F(Incarnations, ProgressRestartsWithoutLimit) {
  for (int64_t i = 1; i <= 10; ++i) {
    killed();
    commit(i);
    ended(ExitCode::kRequeue, i);
  }
  EXPECT_FALSE(next_start_is_refused());
}

TEST_F(Incarnations, TwoFailuresAndAStepAreNoLoop) {
  for (int64_t i = 1; i <= 5; ++i) {
    killed();
    killed();
    killed();
    commit(i);  // by the third
  }
  EXPECT_FALSE(next_start_is_refused());
}

TEST_F(Incarnations, WhatNobodyRequeuesIsNoFailure) {
  for (int i = 0; i < 2; ++i)
    for (const ExitCode code : {ExitCode::kUsage, ExitCode::kInput, ExitCode::kNumeric})
      ended(code, 0);
  EXPECT_FALSE(next_start_is_refused());
}

TEST_F(Incarnations, ARequestedStopIsNoFailure) {
  for (const char* job : {"", "42"}) {
    job_ = job;
    for (int i = 0; i < 4; ++i) ended(ExitCode::kRequeue, 0, /*by_request=*/true);
    EXPECT_FALSE(next_start_is_refused());
  }
}

TEST_F(Incarnations, JobsThatAreTooShortAreALoopWithThatCause) {
  for (int i = 0; i < 3; ++i) ended(ExitCode::kRequeue, 0);
  ASSERT_TRUE(next_start_is_refused());
  EXPECT_THAT(message_, HasSubstr("the jobs are too short"));
  EXPECT_THAT(message_, Not(HasSubstr("remove the cause")));
}

TEST_F(Incarnations, ARequestWhileLoadingCountsIfTheJobEnds) {
  const auto leave = [&](double seconds_left) {
    IncarnationStart asked = start();
    asked.job_end = JobEnd{unix_now() + seconds_left, "test", 390};
    IncarnationLog(asked).failed_to_load(75, "stopped on request while loading");
    return *read_incarnations(run_).back().ended;
  };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(leave(1000).by_request) << "a person has asked";
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(leave(300).by_request);
  EXPECT_TRUE(next_start_is_refused());
  EXPECT_THAT(message_, HasSubstr("no time before the end of the job"));
  EXPECT_THAT(message_, HasSubstr("the jobs are too short"));
}

TEST_F(Incarnations, AKilledOneSaysThatItsJobHadEnded) {
  IncarnationStart limited = start();
  limited.job_end = JobEnd{unix_now() + 5, "test"};
  IncarnationLog(limited).resumed(0, 1, 2);
  killed();
  const auto read = read_incarnations(run_);
  EXPECT_NEAR(read[0].job_end, limited.job_end->unix_seconds, 1);
  EXPECT_THAT(read[0].ended->cause, HasSubstr("when its job ended at "));
  EXPECT_EQ(read[1].job_end, 0);
}

TEST_F(Incarnations, KnowsTheEarlierStartsOfAJob) {
  io::LeaseOwner owner;
  owner.job = "42";
  owner.restart_count = 1;
  EXPECT_FALSE(earlier_starts_of_job(read_incarnations(run_), owner).began);
  { const IncarnationLog loading(start()); }
  EXPECT_TRUE(earlier_starts_of_job(read_incarnations(run_), owner).began);
  EXPECT_FALSE(earlier_starts_of_job(read_incarnations(run_), owner).continued);
  killed();
  EXPECT_TRUE(earlier_starts_of_job(read_incarnations(run_), owner).continued);
  owner.restart_count = 0;
  EXPECT_FALSE(earlier_starts_of_job(read_incarnations(run_), owner).began)
      << "another cluster's job of that number";
  owner.start_count = 1;
  EXPECT_TRUE(earlier_starts_of_job(read_incarnations(run_), owner).continued);
  owner.job = "43";
  EXPECT_FALSE(earlier_starts_of_job(read_incarnations(run_), owner).began);
}

TEST_F(Incarnations, ANodeThatFailsTwiceIsExcluded) {
  killed();
  note_failure(run_, {2, "n2", "broken"});
  EXPECT_FALSE(fs::exists(run_ / kExcludedNodesName));
  killed();
  EXPECT_THAT(read_incarnations(run_)[0].ended->cause, HasSubstr("rank 2 on n2: broken"));
  EXPECT_FALSE(fs::exists(run_ / kFailuresName)) << "the note has moved to the record";
  EXPECT_FALSE(fs::exists(run_ / kExcludedNodesName));
  note_failure(run_, {1, "n1", "broken"});
  note_failure(run_, {2, "n2", "broken"});
  // The failing rank itself updates the list: the job is submitted again before the next start.
  EXPECT_EQ(io::read_text(run_ / kExcludedNodesName), "n2\n");
  killed();
  note_failure(run_, {1, "n1", "broken"});
  EXPECT_EQ(io::read_text(run_ / kExcludedNodesName), "n1,n2\n");
}

TEST_F(Incarnations, WithoutTheBadNodeItStartsAgain) {
  for (int i = 0; i < 3; ++i) {
    killed();
    note_failure(run_, {2, "n2", "broken"});
  }
  EXPECT_TRUE(next_start_is_refused()) << "n2 takes part again";
  nodes_ = {"n1", "n1", "n3"};
  EXPECT_FALSE(next_start_is_refused());
  EXPECT_TRUE(next_start_is_refused()) << "it fails without n2 too";
}

TEST_F(Incarnations, ACrashLoopDoesNotGoThroughTheNodes) {
  for (int i = 0; i < 2; ++i) {
    killed();
    note_failure(run_, {1, "n1", "broken"});
  }
  nodes_ = {"n2", "n2", "n3"};
  killed();
  note_failure(run_, {1, "n2", "broken"});
  nodes_ = {"n3", "n3", "n4"};
  EXPECT_TRUE(next_start_is_refused()) << "three failures, two on n1 and one without it";
}

TEST_F(Incarnations, TwoFailuresInOneIncarnationAreOne) {
  killed();
  note_failure(run_, {1, "n1", "broken"});
  note_failure(run_, {0, "n1", "broken"});
  EXPECT_FALSE(fs::exists(run_ / kExcludedNodesName));
}

TEST_F(Incarnations, OldFailuresAndThoseOutsideJobsDoNotCount) {
  Incarnation incarnation;
  incarnation.job = "42";
  incarnation.ended = IncarnationEnd{};
  incarnation.ended->end = 1000;
  incarnation.ended->failures = {{1, "n1", "broken"}};
  EXPECT_EQ(failures_by_node({incarnation, incarnation}, 2000).at("n1"), 2);
  EXPECT_TRUE(
      failures_by_node({incarnation, incarnation}, 1000 + kFailuresCountSeconds + 1).empty());
  incarnation.job = "";
  EXPECT_TRUE(failures_by_node({incarnation, incarnation}, 2000).empty());
}

TEST_F(Incarnations, SlurmNamesNodesThatAreDown) {
  const fs::path programs = run_ / "bin";
  fs::create_directories(programs);
  std::ofstream(programs / "sinfo")
      << "#!/bin/sh\necho 'n1 mixed'\necho 'n2 down*'\necho 'n2 down*'\n"
         "echo 'n3 drained'\necho 'n4 idle*'\n";
  fs::permissions(programs / "sinfo", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  setenv("PATH", (programs.string() + ":" + path).c_str(), 1);
  const auto found = nodes_out_of_service({"n1", "n2", "n3", "n4"});
  setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].node, "n2");
  EXPECT_EQ(found[0].cause, "the node is down*");
  EXPECT_EQ(found[1].node, "n3");
  EXPECT_EQ(found[2].node, "n4");
}

TEST(Summary, AddsWhatTheStartsLost) {
  EXPECT_EQ(sum_of_cpus("16(x2),8"), 40);
  EXPECT_EQ(sum_of_cpus("72"), 72);
  EXPECT_FALSE(sum_of_cpus("some"));
  RunSummary summary;
  for (const double useful : {60.0, 90.0}) {
    Incarnation incarnation;
    incarnation.ranks = 4;
    incarnation.steps = 100;
    incarnation.ended = IncarnationEnd{};
    incarnation.ended->killed = useful == 60;
    incarnation.ended->seconds = {.total = 100,
                                  .start = 1,
                                  .load = 4,
                                  .step = useful,
                                  .save = 2,
                                  .lost = useful == 60 ? 30.0 : 0.0};
    summary.incarnations.push_back(incarnation);
  }
  summary.requested.seconds = 3600;
  const auto lines = summary.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("of 1 h 0 min"));
  EXPECT_THAT(lines[0], Not(HasSubstr("cores")));
  EXPECT_THAT(lines[2], HasSubstr("90.0 %"));
  EXPECT_THAT(lines[3], HasSubstr("75.0 %"));
  EXPECT_THAT(lines[3], HasSubstr("15.0 %")) << "lost steps of both starts";
  const std::string json = summary.to_json().dump();
  EXPECT_THAT(json, HasSubstr("\"goodput\":0.9"));
  EXPECT_THAT(json, HasSubstr("\"goodput\":0.75"));
  EXPECT_THAT(json, HasSubstr("\"killed\":1"));
}

}  // namespace
}  // namespace lynceus::train
