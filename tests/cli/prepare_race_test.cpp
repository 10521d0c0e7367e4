// Several copies of one `lynceus prepare` at once: one writes, the others are refused with its name
// or find a complete result. The result is that of a single run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PrepareRace : public testing::Test {
 protected:
  PrepareRace() {
    std::ofstream rows(folder_ / "rows.jsonl");
    for (int i = 0; i < 40; ++i) rows << fmt::format("{{\"text\": \"row {}\"}}\n", i);
  }
  Arguments arguments(const std::string& output) const {
    return {"prepare",  "jsonl",          "--input",     folder_ / "rows.jsonl",
            "--output", folder_ / output, "--shard-gib", "1e-7"};
  }
  std::map<std::string, std::string> contents(const std::string& output) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_ / output))
      all[entry.path().filename()] = io::read_text(entry.path());
    return all;
  }
  const Folder folder_{"prepare_race"};
};

TEST_F(PrepareRace, OneOfSeveralCopiesWritesTheResultOfASingleRun) {
  ASSERT_EQ(run(arguments("single")).code, 0);
  const auto expected = contents("single");
  ASSERT_GT(expected.size(), 3u);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string output = fmt::format("round-{}", round);
    std::vector<std::unique_ptr<Program>> copies;
    for (int copy = 0; copy < 2 + round % 2; ++copy)
      copies.push_back(std::make_unique<Program>(arguments(output)));
    int wrote = 0;
    for (const auto& copy : copies) {
      const Output ended = copy->wait();
      if (ended.code == 2) {
        ++refused;
        EXPECT_EQ(ended.messages(), 1) << ended.all();
        EXPECT_THAT(ended.err, AllOf(HasSubstr("this output folder is in use by process "),
                                     HasSubstr("since 20"),
                                     HasSubstr("choose another --output, or pass "
                                               "--take-over if")));
        continue;
      }
      EXPECT_EQ(ended.code, 0) << ended.all();
      const bool is_late = ended.out.find("already complete: 40 samples in ") != std::string::npos;
      if (!is_late) {
        EXPECT_THAT(ended.out, HasSubstr("prepared 40 samples"));
        ++wrote;
      }
    }
    EXPECT_EQ(wrote, 1) << "round " << round;
    EXPECT_TRUE(contents(output) == expected) << "round " << round;
    fs::remove_all(folder_ / output);
  }
  EXPECT_GT(refused, 0) << "the copies did not run at once";
}

TEST_F(PrepareRace, TheLeaseOfAKilledRunIsTakenOver) {
  Program first(arguments("out"), {.environment = {"LYNCEUS_FAULT=prepare.shard#3=pause"}});
  const pid_t process = first.ranks()[0];
  ASSERT_TRUE(first.wait_until([&] { return is_stopped(process); }));
  const Output second = run(arguments("out") + Arguments{"--overwrite"});
  EXPECT_EQ(second.code, 2) << second.all();
  EXPECT_THAT(second.err, HasSubstr(fmt::format("in use by process {} on ", process)));
  kill(process, SIGKILL);
  EXPECT_EQ(first.wait().code, -1);
  const Output third = run(arguments("out"));
  EXPECT_EQ(third.code, 0) << third.all();
  EXPECT_THAT(third.out, HasSubstr("continuing after "));
  ASSERT_EQ(run(arguments("single")).code, 0);
  EXPECT_TRUE(contents("out") == contents("single"));
}

TEST_F(PrepareRace, ARunThatLostItsLeaseStops) {
  Program first(arguments("out"), {.environment = {"LYNCEUS_FAULT=prepare.shard#3=pause"}});
  const pid_t process = first.ranks()[0];
  ASSERT_TRUE(first.wait_until([&] { return is_stopped(process); }));
  fs::remove(folder_ / "out" / "LEASE.json");  // as the message of a refused run advises
  const Output second = run(arguments("out"));
  EXPECT_EQ(second.code, 0) << second.all();
  const auto complete = contents("out");
  kill(process, SIGCONT);
  const Output stale = first.wait();
  EXPECT_EQ(stale.code, 4) << stale.all();
  EXPECT_THAT(stale.err, HasSubstr("LEASE.json: another process took the lease"));
  EXPECT_TRUE(contents("out") == complete);
}

/// The former owner is in the middle of a shard, with open lists, when its folder is taken over.
TEST_F(PrepareRace, AFormerOwnerThatStillRunsChangesNothing) {
  std::ofstream rows(folder_ / "rows.jsonl", std::ios::app);
  for (int i = 0; i < 40; ++i)
    rows << fmt::format("{{\"text\": \"more {0}\"}}\n{{\"no\": {0}}}\n", i);
  rows.close();
  const Arguments more = {"--max-bad", "1"};
  for (const Arguments& change : {Arguments{}, Arguments{"--overwrite", "--task", "another"}}) {
    const std::string output = "out" + std::to_string(change.size());
    Program first(arguments(output) + more,
                  {.environment = {"LYNCEUS_FAULT=prepare.row#70=pause"}});
    const pid_t process = first.ranks()[0];
    ASSERT_TRUE(first.wait_until([&] { return is_stopped(process); }));
    const Output second = run(arguments(output) + more + change + Arguments{"--take-over"});
    EXPECT_EQ(second.code, 0) << second.all();
    EXPECT_THAT(second.all(), HasSubstr("taken over from process "));
    const auto complete = contents(output);
    ASSERT_EQ(run(arguments("single" + output) + more + change).code, 0);
    EXPECT_TRUE(complete == contents("single" + output));
    kill(process, SIGCONT);
    const Output stale = first.wait();
    EXPECT_EQ(stale.code, 4) << stale.all();
    EXPECT_EQ(stale.messages(), 1) << stale.all();
    EXPECT_THAT(stale.err, HasSubstr("another process took the lease"));
    EXPECT_TRUE(contents(output) == complete);
  }
}

}  // namespace
}  // namespace lynceus::cli_test
