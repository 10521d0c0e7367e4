// Limits of sections, the clock of sections, the files of stalled ranks, and who counts as slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "train/watch/section_clock.h"
#include "train/watch/stragglers.h"
#include "train/watch/watch_folder.h"

namespace lynceus::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

TEST(WatchConfig, TakesAutoAndSeconds) {
  WatchConfig config;
  config.step = "2.5";
  config.data = "0";
  ConfigFaults faults;
  config.check(&faults);
  faults.raise();
  EXPECT_EQ(config.given(Section::kStep), 2.5);
  EXPECT_EQ(config.given(Section::kData), 0);
  EXPECT_FALSE(config.given(Section::kLoad).has_value());
  config.step = "soon";
  config.load = "-1";
  config.slow_factor = 0.5;
  config.check(&faults);
  try {
    faults.raise();
    FAIL() << "nothing was refused";
  } catch (const UsageError& error) {
    for (const char* key : {"watchdog.step", "watchdog.load", "watchdog.slow_factor"})
      EXPECT_THAT(error.what(), HasSubstr(key));
  }
}

TEST(WatchConfig, DeducesLimits) {
  EXPECT_EQ(automatic_limit(Section::kStep, 0), 1800);
  EXPECT_EQ(automatic_limit(Section::kLoad, 0), 3600);
  EXPECT_EQ(automatic_limit(Section::kStep, 2), 60);
  EXPECT_EQ(automatic_limit(Section::kStep, 100), 500);
  EXPECT_EQ(automatic_limit(Section::kData, 1), 600);
}

TEST(SectionClock, KnowsTheSectionAndItsLimit) {
  const parallel::Grid grid = parallel::make_grid({}, parallel::make_self_communicator(), Stream());
  WatchConfig config;
  config.step = "7";
  config.checkpoint = "0";
  SectionClock clock(grid, config);
  EXPECT_EQ(clock.stall().section, Section::kInit);
  clock.enter(Section::kStep, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const SectionClock::Stall stall = clock.stall();
  EXPECT_EQ(stall.section, Section::kStep);
  EXPECT_EQ(stall.step, 3);
  EXPECT_GE(stall.seconds, 0.02);
  EXPECT_EQ(stall.limit, 7);
  EXPECT_EQ(stall.note, 3.5);
  clock.enter(Section::kCheckpoint, 4);
  EXPECT_EQ(clock.stall().limit, 0);
  const SectionTimes times = clock.take_times();
  EXPECT_GE(times.busy[static_cast<size_t>(Section::kStep)], 0.02);
  EXPECT_EQ(clock.take_times().total, 0);
}

TEST(SectionClock, WatchesASaveBesideTheSteps) {
  const parallel::Grid grid = parallel::make_grid({}, parallel::make_self_communicator(), Stream());
  WatchConfig config;
  config.step = "100";
  config.checkpoint = "10";
  SectionClock clock(grid, config);
  clock.enter(Section::kStep, 3);
  EXPECT_FALSE(clock.stall().is_saving);
  clock.saving_began(3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  clock.enter(Section::kStep, 4);  // the steps go on, the save does not
  SectionClock::Stall stall = clock.stall();
  EXPECT_TRUE(stall.is_saving);
  EXPECT_EQ(stall.section, Section::kCheckpoint);
  EXPECT_EQ(stall.step, 3);
  EXPECT_EQ(stall.limit, 10);
  EXPECT_GE(stall.seconds, 0.02);
  clock.saving_ended();
  EXPECT_FALSE(clock.stall().is_saving);
  EXPECT_EQ(clock.stall().section, Section::kStep);
}

TEST(SectionClock, AHangOfTheStepsIsSeenBesideASave) {
  const parallel::Grid grid = parallel::make_grid({}, parallel::make_self_communicator(), Stream());
  WatchConfig config;
  config.step = "1";
  config.checkpoint = "100";
  SectionClock clock(grid, config);
  clock.enter(Section::kStep, 3);
  clock.saving_began(3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(clock.stall().section, Section::kStep) << "it has used more of its limit";
}

TEST(SectionClock, ARankThatWaitsForTheSaveHasItsLimit) {
  const parallel::Grid grid = parallel::make_grid({}, parallel::make_self_communicator(), Stream());
  SectionClock clock(grid, {});
  clock.enter(Section::kCheckpoint, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  clock.saving_began(3);  // later than the section
  EXPECT_TRUE(clock.stall().is_saving);
  EXPECT_LT(clock.stall().seconds, 0.02);
  clock.saving_took(400);
  EXPECT_EQ(clock.stall().limit, 2000) << "five times the longest";
}

class Folder : public testing::Test {
 protected:
  Folder() : run_(fs::path(testing::TempDir()) / "watch-folder") { fs::remove_all(run_); }
  const fs::path run_;
};

TEST_F(Folder, HoldsStatesOnlyWhileRanksAreStalled) {
  const WatchFolder folder(run_, "token");
  EXPECT_TRUE(folder.write_state(0, "zero"));
  EXPECT_TRUE(folder.write_state(2, "two"));
  EXPECT_TRUE(folder.write_state(2, "2"));
  const auto states = folder.read_states(3);
  ASSERT_TRUE(states.has_value());
  EXPECT_THAT(*states, ElementsAre("zero", "", "2"));
  EXPECT_TRUE(folder.remove_state(0));
  EXPECT_TRUE(fs::exists(run_ / "watch" / "token"));
  EXPECT_TRUE(folder.remove_state(2));
  EXPECT_FALSE(fs::exists(run_ / "watch"));
}

TEST_F(Folder, LetsOneRankReport) {
  const WatchFolder folder(run_, "token");
  folder.write_state(1, "");
  EXPECT_EQ(folder.claim(1), WatchFolder::Claim::kMine);
  EXPECT_EQ(folder.claim(2), WatchFolder::Claim::kOther);
  EXPECT_EQ(folder.claim(1), WatchFolder::Claim::kMine);
  fs::last_write_time(
      run_ / "watch" / "token" / "report-by",
      fs::file_time_type::clock::now() - std::chrono::seconds(WatchFolder::kClaimSeconds + 1));
  EXPECT_EQ(folder.claim(2), WatchFolder::Claim::kMine) << "rank 1 died while it reported";
  EXPECT_TRUE(folder.remove_state(1));
  EXPECT_EQ(folder.claim(1), WatchFolder::Claim::kOther) << "the claim of rank 2";
  EXPECT_TRUE(folder.remove_state(2));
  EXPECT_FALSE(fs::exists(run_ / "watch")) << "its rank goes on";
}

TEST_F(Folder, IsRemovedByTheNextStart) {
  const WatchFolder earlier(run_, "earlier"), mine(run_, "mine");
  mine.remove_others();  // there is nothing
  earlier.write_state(1, "one");
  earlier.claim(0);
  mine.write_state(1, "1");
  mine.remove_others();
  EXPECT_FALSE(fs::exists(run_ / "watch" / "earlier"));
  EXPECT_EQ(mine.read_states(2)->at(1), "1");
  mine.remove_state(1);
  EXPECT_FALSE(fs::exists(run_ / "watch"));
}

TEST_F(Folder, SaysThatItCannotBeWritten) {
  std::ofstream(run_) << "a file in place of the run directory";
  const WatchFolder folder(run_, "token");
  EXPECT_FALSE(folder.write_state(0, "zero"));
  EXPECT_EQ(folder.claim(0), WatchFolder::Claim::kNoAnswer);
  fs::remove(run_);
}

class Slow : public testing::Test {
 protected:
  static std::vector<std::string> names(int ranks) {
    std::vector<std::string> names;
    for (int rank = 0; rank < ranks; ++rank) names.push_back(fmt::format("host{}", rank));
    return names;
  }
  /// Windows until something is said, with the given times; at most six.
  static std::vector<std::string> until_said(StragglerTable* table,
                                             const std::vector<RankTimes>& times, int* windows) {
    for (*windows = 1; *windows <= 6; ++*windows) {
      const auto lines = table->add(int64_t{*windows} * StragglerTable::kWindow, times);
      if (!lines.empty()) return lines;
    }
    return {};
  }
};

TEST_F(Slow, IsNamedWithinFiftyStepsAndAfterItsRecovery) {
  StragglerTable table({1, 1, 4}, 1.5, names(4));
  std::vector<RankTimes> times(4, {0.001, 0.1, 0.25});
  times[2].step = 0.2;
  int windows = 0;
  auto lines = until_said(&table, times, &windows);
  EXPECT_THAT(lines, ElementsAre("rank 2 (host2) is slow: section step takes 200 ms a step, 2.0 "
                                 "times the 100 ms of the median rank of its stage, in steps 1 to "
                                 "30"));
  EXPECT_LE(windows * StragglerTable::kWindow, 50);
  EXPECT_THAT(until_said(&table, times, &windows), IsEmpty()) << "said once";
  times[2].step = 0.1;
  EXPECT_THAT(until_said(&table, times, &windows),
              ElementsAre(HasSubstr("rank 2 (host2) is no longer slow")));
}

TEST_F(Slow, MayBeSlowInReading) {
  StragglerTable table({2, 1, 1}, 1.5, names(2));
  std::vector<RankTimes> times(2, {0.001, 0.1, 0.5});
  times[0].data = 0.3;
  int windows = 0;
  EXPECT_THAT(until_said(&table, times, &windows), ElementsAre(HasSubstr("section data")));
}

TEST_F(Slow, IsNobodyBySmallDifferencesOrSingleWindows) {
  StragglerTable table({1, 1, 4}, 1.5, names(4));
  std::vector<RankTimes> times(4, {0.0001, 0.1, 0.12});
  times[1].step = 0.14;
  times[3].data = 0.01;  // a hundred times the others', but no share of the step
  int windows = 0;
  EXPECT_THAT(until_said(&table, times, &windows), IsEmpty());
  for (int i = 1; i <= 8; ++i) {
    std::vector<RankTimes> window = times;
    if (i % 3 != 0) window[2].step = 0.4;
    EXPECT_THAT(table.add(10 * i, window), IsEmpty()) << i;
  }
}

TEST_F(Slow, ComparesRanksOfOneStage) {
  // The second stage does four times the work of the first.
  StragglerTable table({2, 2, 1}, 1.5, names(4));
  const std::vector<RankTimes> times = {{0, 0.1, 0.5}, {0, 0.1, 0.5}, {0, 0.4, 0.5}, {0, 0.4, 0.5}};
  int windows = 0;
  EXPECT_THAT(until_said(&table, times, &windows), IsEmpty());
}

TEST_F(Slow, ComparesTheOnlyRankOfAStageWithItself) {
  StragglerTable table({1, 2, 1}, 1.5, names(2));
  std::vector<RankTimes> times = {{0, 0.1, 0.5}, {0, 0.4, 0.5}};
  int windows = 0;
  EXPECT_THAT(until_said(&table, times, &windows), IsEmpty());
  times[0].step = 0.3;
  EXPECT_THAT(until_said(&table, times, &windows),
              ElementsAre(HasSubstr("3.0 times the 100 ms of its own fastest steps")));
}

}  // namespace
}  // namespace lynceus::train
