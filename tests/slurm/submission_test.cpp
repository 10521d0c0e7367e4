// What is refused before anything is submitted; the calls of sbatch, against a stand-in.
#include "slurm/submission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::slurm {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string faults_of(const SubmitConfig& config) {
  ConfigFaults faults;
  config.check(&faults);
  try {
    faults.raise();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(SubmitConfig, AcceptsTheDefaultsAndTheFormsOfTime) {
  SubmitConfig config;
  EXPECT_EQ(faults_of(config), "");
  for (const char* time : {"90", "90:00", "24:00:00", "2-0", "2-12:30", "2-12:30:00"}) {
    config.time = time;
    EXPECT_EQ(faults_of(config), "") << time;
  }
}

TEST(SubmitConfig, RefusesWhatCannotStandInTheTextAllTogether) {
  SubmitConfig config;
  config.account = "a b";
  config.partition = "x\n#SBATCH --uid=0";
  config.time = "tomorrow";
  config.run = "runs/\n";
  config.sbatch = {"qos=long"};
  config.nodes = "2,many";
  config.modules = {"a\tb"};
  config.cores_per_rank = 0;
  const std::string faults = faults_of(config);
  for (const char* key : {"account: ", "partition: ", "time: ", "run: ", "sbatch: ", "nodes: ",
                          "modules: ", "cores-per-rank: "})
    EXPECT_THAT(faults, HasSubstr(key));
}

TEST(SubmitConfig, RefusesASignalThatIsNotBeforeTheTimeLimit) {
  SubmitConfig config;
  config.signal_seconds = 600;
  for (const char* time : {"10", "9:59", "0:10:00", "0-0:10", "0-0:10:00"}) {
    config.time = time;
    EXPECT_THAT(faults_of(config), HasSubstr("signal-seconds: expected less than")) << time;
  }
  for (const char* time : {"11", "10:01", "0:10:01", "0-1", "0-0:11", "0-0:10:01", "1-0", "0"}) {
    config.time = time;  // 0: no limit
    EXPECT_EQ(faults_of(config), "") << time;
  }
}

TEST(SubmitConfig, RefusesABackslashInTheRunAndEqualNumbersOfNodes) {
  SubmitConfig config;
  config.run = R"(runs\a)";
  EXPECT_THAT(faults_of(config), HasSubstr("run: expected a folder without \\"));
  config.run = "runs/a";
  config.nodes = "1,2,1";
  EXPECT_THAT(faults_of(config), HasSubstr("nodes: expected different numbers"));
}

TEST(SubmitConfig, RefusesConfigsThatAreMissingOrWouldShareARun) {
  SubmitConfig config;
  config.stage = "pretrain-224,no-such-config";
  EXPECT_THAT(faults_of(config), HasSubstr("stage: expected config files or names of configs, "
                                           "found 'no-such-config'"));
  config.stage = "model/tiny,tiny";
  EXPECT_THAT(faults_of(config), HasSubstr("stage: expected configs with different names"));
  config.stage = "";
  config.array = testing::TempDir();
  EXPECT_THAT(faults_of(config), HasSubstr("array: expected config files"));
  config.array = "tiny,mid";
  config.spare_nodes = 1;
  EXPECT_THAT(faults_of(config),
              HasSubstr("spare-nodes: expected one run or stages, found an array"));
  config.spare_nodes = 0;
  config.nodes = "1,2";
  EXPECT_THAT(faults_of(config), HasSubstr("nodes, stage, array: "));
  config.array = "";
  config.spare_nodes = 1;
  EXPECT_THAT(faults_of(config),
              HasSubstr("spare-nodes: expected one run or stages, found several numbers of nodes"));
}

TEST(Submission, OneCallForEachJob) {
  SubmitConfig config;
  config.run = "runs/50%";
  auto calls = submissions(config);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_THAT(sbatch_arguments(calls[0], "f", ""),
              ElementsAre("--parsable", "--output=runs/50%%/slurm-%j.out", "f"));
  config.run = "r";
  config.stage = "tiny,mid";
  calls = submissions(config);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_THAT(sbatch_arguments(calls[0], "f", ""),
              ElementsAre("--parsable", "--output=r/slurm-%j.out", "f", "0"));
  EXPECT_THAT(sbatch_arguments(calls[1], "f", "7"),
              ElementsAre("--parsable", "--dependency=afterok:7", "--kill-on-invalid-dep=yes",
                          "--output=r/slurm-%j.out", "f", "1"));
  config.stage = "";
  config.nodes = "1,4";
  calls = submissions(config);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_THAT(sbatch_arguments(calls[1], "f", "7"),
              ElementsAre("--parsable", "--output=r/slurm-%j.out", "--nodes=4", "f"));
}

/// A PATH with a stand-in for sbatch that does what `body` says, or without any.
class SbatchStandIn : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    path_ = std::getenv("PATH");
    setenv("PATH", folder_.c_str(), 1);
    config_.run = folder_ / "it's a run";
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    fs::remove_all(folder_);
  }
  void stand_in(const std::string& body) {
    const fs::path file = folder_ / "sbatch";
    std::ofstream(file) << "#!/bin/sh\nPATH=/usr/bin:/bin\n" << body << "\n";
    chmod(file.c_str(), 0755);
  }
  std::vector<std::string> submitted() {
    std::vector<std::string> ids;
    submit(config_, "the text\n",
           [&](const Submission&, const std::string& id) { ids.push_back(id); });
    return ids;
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "sbatch-stand-in";
  SubmitConfig config_;
  std::string path_;
};

TEST_F(SbatchStandIn, WritesTheTextAndReadsTheId) {
  stand_in(
      "echo 'sbatch: a remark' >&2\ncat \"$3\" >\"$(dirname \"$3\")/seen\"\necho '12;cluster'");
  EXPECT_THAT(submitted(), ElementsAre("12"));
  EXPECT_EQ(io::read_text(fs::path(config_.run) / "job.sbatch"), "the text\n");
  EXPECT_EQ(io::read_text(fs::path(config_.run) / "seen"), "the text\n");
  EXPECT_EQ(io::read_text(fs::path(config_.run) / "job.ids"), "12\n");
}

TEST_F(SbatchStandIn, ChainsStages) {
  config_.stage = "tiny,mid";
  stand_in("echo \"$*\" >>" + (folder_ / "calls").string() + "\nwc -l <" +
           (folder_ / "calls").string());
  EXPECT_THAT(submitted(), ElementsAre("1", "2"));
  EXPECT_EQ(io::read_text(fs::path(config_.run) / "job.ids"), "1\n2\n");
  EXPECT_THAT(io::read_text(folder_ / "calls"), HasSubstr("\n--parsable --dependency=afterok:1 "));
}

TEST_F(SbatchStandIn, ShowsTheWordsOfSbatch) {
  stand_in("echo 'sbatch: error: invalid partition specified: no' >&2; exit 1");
  try {
    submitted();
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("sbatch: error: invalid partition specified: no"));
  }
  stand_in("echo 'Submitted something'");
  EXPECT_THROW(submitted(), IoError);
}

TEST_F(SbatchStandIn, SaysThatThereIsNone) {
  try {
    submitted();
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("found no sbatch"));
  }
  EXPECT_FALSE(fs::exists(config_.run));
}

}  // namespace
}  // namespace lynceus::slurm
