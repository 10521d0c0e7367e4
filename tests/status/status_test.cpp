// What `lynceus status` finds in run directories and in Slurm's queue.
#include "status/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/text/utc.h"
#include "io/files/file.h"
#include "io/files/json_value.h"
#include "train/incarnation/record.h"

namespace lynceus::status {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Status : public testing::Test {
 protected:
  Status() {
    fs::remove_all(run_);
    fs::create_directories(run_);
    begun_.begin = unix_now() - 100;
    begun_.token = "token";
    begun_.nodes = {"n1", "n2"};
    begun_.steps = 1000;
    begun_.job = "42";
  }
  ~Status() override { fs::remove_all(run_); }

  /// The lease of a process on another host, whose last heartbeat was `seconds` ago.
  void lease(double seconds) {
    using io::JsonValue;
    const std::string now = utc_text(unix_now() - seconds);
    const JsonValue owner = JsonValue::object({{"host", "elsewhere"},
                                               {"boot_id", "b"},
                                               {"pid_namespace", "p"},
                                               {"pid", 17},
                                               {"start_time", 1},
                                               {"job", "42"},
                                               {"restart_count", 0},
                                               {"since", now},
                                               {"token", "token"}});
    io::atomic_write_text(
        run_ / "LEASE.json",
        fmt::format("{{\"heartbeat\": \"{}\",\n\"owner\": {}}}\n", now, owner.dump()));
  }
  void resumed() {
    train::append_begin(run_, begun_);
    begun_.first_step = 0;
    train::append_resumed(run_, begun_);
    std::ofstream metrics(run_ / "metrics.jsonl");
    for (int step = 1; step <= 400; ++step)
      metrics << fmt::format(
          "{{\"step\": {}, \"kind\": \"step\", \"text\": \"{}\", \"step_seconds\": {}}}\n", step,
          std::string(400, 'x'), step % 10 == 0 ? 30 : 2);
  }
  void end(ExitCode code, int64_t last, const std::string& cause) {
    train::IncarnationEnd end;
    end.end = unix_now();
    end.exit_code = static_cast<int64_t>(code);
    end.cause = cause;
    end.last_step = end.committed_step = last;
    train::append_end(run_, "token", end);
  }
  RunStatus status(const std::string& queue = "") { return status_of(run_, parse_queue(queue)); }

  const fs::path run_ = fs::path(testing::TempDir()) / "status" / "stage1";
  train::Incarnation begun_;
};

TEST_F(Status, ARunOnAnotherHostIsAliveWhileItsHeartbeatIs) {
  resumed();
  lease(5);
  const RunStatus found = status();
  EXPECT_EQ(found.state, "running");
  EXPECT_EQ(found.step, 400);
  EXPECT_EQ(found.steps, 1000);
  EXPECT_DOUBLE_EQ(found.seconds_per_step, 2) << "the median";
  EXPECT_DOUBLE_EQ(*found.seconds_left, 1200);
  EXPECT_EQ(found.where, "job 42 on n1,n2");
  EXPECT_EQ(found.killed, 0);
  lease(100);
  EXPECT_EQ(status().state, "killed");
  EXPECT_THAT(status().note, HasSubstr("last heartbeat 1 min 40 s ago"));
  EXPECT_EQ(status().killed, 1);
}

TEST_F(Status, BeforeTheFirstStepItLoads) {
  train::append_begin(run_, begun_);
  lease(1);
  EXPECT_EQ(status().state, "loading");
}

TEST_F(Status, SaysHowItEnded) {
  resumed();
  end(ExitCode::kRequeue, 400, "stopped before the end of the job after step 400");
  EXPECT_EQ(status().state, "stopped");
  EXPECT_THAT(status().note, HasSubstr("end of the job after step 400 (exit code 75)"));
  fs::remove(run_ / "incarnations.jsonl");
  resumed();
  end(ExitCode::kIo, 300, "no space");
  EXPECT_EQ(status().state, "failed");
  fs::remove(run_ / "incarnations.jsonl");
  resumed();
  end(ExitCode::kDone, 1000, "finished");
  EXPECT_EQ(status().state, "finished");
}

TEST_F(Status, ThreeDeathsAreACrashLoop) {
  for (int i = 0; i < 3; ++i) {
    resumed();
    EXPECT_EQ(status().state, i < 2 ? "killed" : "crash loop");
    if (i < 2) end(ExitCode::kIo, 0, "no space");
  }
}

TEST_F(Status, TheQueueSaysThatItWaits) {
  const std::string queue =
      "41|41|RUNNING|None|2026-01-01T00:00:00|stage1\n"
      "42|40_1|PENDING|BeginTime|2026-01-02T00:00:00|other|name\n";
  ASSERT_EQ(parse_queue(queue).jobs.size(), 2u);
  EXPECT_EQ(parse_queue(queue).jobs[1].name, "other|name");
  EXPECT_TRUE(parse_queue("nonsense\n").jobs.empty());
  EXPECT_EQ(find_job(parse_queue(queue), "40")->id, "42") << "the array";
  EXPECT_EQ(status(queue).state, "starting") << "the job of its name; nothing is written yet";
  resumed();
  end(ExitCode::kRequeue, 400, "stopped on request after step 400");
  EXPECT_EQ(status(queue).state, "queued") << "its own job";
  EXPECT_THAT(status(queue).note, HasSubstr("PENDING (BeginTime), start 2026-01-02"));
}

TEST_F(Status, TheQueueIsAskedWhereARunSaysThatItIsRunning) {
  const auto in_queue = [](const char* state) {
    return fmt::format("42|42|{}|None|2026-01-01T00:00:00|lynceus\n", state);
  };
  resumed();
  lease(30);
  EXPECT_EQ(status_of(run_, JobQueue()).state, "running") << "there is no squeue to ask";
  EXPECT_EQ(status(in_queue("RUNNING")).state, "running");
  EXPECT_EQ(status().state, "killed");
  EXPECT_THAT(status().note, HasSubstr("job 42 is no longer in the queue"));
  lease(5);
  EXPECT_EQ(status().state, "running") << "a job of another cluster";
  EXPECT_EQ(status(in_queue("PENDING")).state, "queued") << "the job went back";
}

TEST_F(Status, ASubmittedRunThatHasWrittenNothing) {
  std::ofstream(run_ / "job.sbatch") << "#!/bin/bash\n";
  EXPECT_EQ(status_of(run_, JobQueue()).state, "submitted");
  std::ofstream(run_ / "job.ids") << "17\n";
  EXPECT_EQ(status_of(run_, JobQueue()).state, "submitted");
  EXPECT_THAT(status().note, HasSubstr("job 17 is not in the queue"));
  const std::string queue = "17|17|PENDING|Priority|2026-01-02T00:00:00|lynceus\n";
  EXPECT_EQ(status(queue).state, "queued");
  std::ofstream(run_ / "slurm-17.out") << "module load none failed\n";
  EXPECT_EQ(status().state, "failed");
  EXPECT_THAT(status().note, HasSubstr("slurm-17.out"));
  fs::create_directories(run_ / "tiny");
  std::ofstream(run_ / "tiny" / "config.ini") << "";
  EXPECT_THROW(status(), InputError) << "the folder of several runs";
}

TEST_F(Status, AFinishedRunStaysFinished) {
  fs::create_directories(run_ / "checkpoints" / "step-00001000");
  std::ofstream(run_ / "checkpoints" / "step-00001000" / "MANIFEST.json") << "{}";
  resumed();
  end(ExitCode::kDone, 1000, "finished after step 1000");
  begun_.token = "later";
  begun_.steps = 2000;
  begun_.first_step.reset();
  train::append_begin(run_, begun_);
  train::IncarnationEnd refused;
  refused.exit_code = static_cast<int64_t>(ExitCode::kUsage);
  refused.cause = "while loading: train.steps differs";
  train::append_end(run_, "later", refused);
  EXPECT_EQ(status().state, "finished");
  EXPECT_EQ(status().steps, 1000);
  EXPECT_THAT(status().note, HasSubstr("train.steps differs"));
}

TEST_F(Status, AFolderWithoutARunIsRefused) { EXPECT_THROW(status(), InputError); }

}  // namespace
}  // namespace lynceus::status
