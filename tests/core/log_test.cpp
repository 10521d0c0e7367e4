// The file of the log: what it gets, and when.
#include "core/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace lynceus::log {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class LogFile : public testing::Test {
 protected:
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file_).rdbuf();
    return all.str();
  }

  const std::string file_ =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".log";
};

TEST_F(LogFile, HasTheLinesFromBeforeItWasOpened) {
  set_up(0, 1, "error");
  info("computing on {} x CPU", 2);
  debug("not for the file");
  warn("waiting for {}", "a lease");
  add_file(file_);
  info("later");
  const std::string found = text();
  EXPECT_THAT(found,
              AllOf(HasSubstr(" I computing on 2 x CPU\n"), HasSubstr(" W waiting for a lease\n"),
                    HasSubstr(" I later\n"), Not(HasSubstr("not for"))));
  EXPECT_LT(found.find("computing"), found.find("later"));
  EXPECT_EQ(found.find("computing"), found.rfind("computing")) << "once";
}

TEST_F(LogFile, OtherRanksAddOnlyWhatFollows) {
  set_up(1, 2, "error");
  info("of rank 1");
  add_file(file_);
  file_error("the error of rank 1");
  EXPECT_THAT(text(), HasSubstr(" E the error of rank 1\n"));
  EXPECT_THAT(text(), Not(HasSubstr(" I of rank 1")));
}

TEST_F(LogFile, MayBeOpenedWhileAnotherThreadLogs) {
  set_up(0, 1, "error");
  std::atomic<bool> ends = false;
  std::atomic<int> lines = 0;
  std::thread other([&] {
    while (!ends && lines < 900) info("line {}", ++lines);
  });
  while (lines < 10) std::this_thread::yield();
  add_file(file_);
  ends = true;
  other.join();
  const std::string found = text();
  for (int i = 1; i <= lines; ++i)
    ASSERT_THAT(found, HasSubstr("line " + std::to_string(i) + "\n"));
}

}  // namespace
}  // namespace lynceus::log
