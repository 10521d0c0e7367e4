// Files with lines per step: no partial line remains, and lines are saved elsewhere before they
// are cut.
#include "train/metrics/step_lines.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

class StepLinesTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(run_);
    fs::create_directories(run_);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
  }
  void TearDown() override { limit(before_.rlim_cur); }
  void limit(rlim_t bytes) const {
    rlimit limited = before_;
    limited.rlim_cur = bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  }
  std::string text(const std::string& name) const { return io::read_text(run_ / name); }

  const fs::path run_ = fs::path(testing::TempDir()) / "step-lines";
  StepLines lines_{run_, "lines", ".txt", [](const std::string& line) {
                     return line.size() == 3 ? std::optional<int64_t>(line[0] - '0') : std::nullopt;
                   }};
  rlimit before_{};
};

TEST_F(StepLinesTest, LinesAfterTheStepMove) {
  lines_.cut_after(0);
  lines_.append("1 a\n2 b\n");
  lines_.append("3 c\n");
  lines_.append("3");  // torn
  lines_.cut_after(2);
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n");
  EXPECT_EQ(text("lines.superseded.txt"), "3 c\n3\n");
  lines_.cut_after(0);
  EXPECT_EQ(text("lines.txt"), "");
  EXPECT_EQ(text("lines.superseded.txt"), "3 c\n3\n1 a\n2 b\n");
}

TEST_F(StepLinesTest, LinesThatDoNotFitWaitAndNoneIsPartial) {
  limit(2);  // too small for the first line
  lines_.append("1 a\n");
  EXPECT_EQ(text("lines.txt"), "");
  limit(6);
  lines_.append("2 b\n");
  EXPECT_EQ(text("lines.txt"), "");
  limit(before_.rlim_cur);
  lines_.append("3 c\n");
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n3 c\n");
  limit(14);
  lines_.append("4 d\n");
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n3 c\n");
}

TEST_F(StepLinesTest, LinesThatWaitAreWrittenWithoutANewOne) {
  lines_.append("1 a\n");
  limit(4);
  lines_.append("2 b\n");
  EXPECT_EQ(lines_.flush(), 1);
  EXPECT_EQ(text("lines.txt"), "1 a\n");
  limit(before_.rlim_cur);
  EXPECT_EQ(lines_.flush(), 0);
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n");
}

TEST_F(StepLinesTest, LinesThatWaitAreCutToo) {
  limit(0);
  lines_.append("1 a\n2 b\n");
  lines_.append("3 c\n");
  lines_.cut_after(2);
  limit(before_.rlim_cur);
  lines_.append("3 d\n");
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n3 d\n");
}

TEST_F(StepLinesTest, LinesThatCannotBeMovedAreNotCut) {
  lines_.append("1 a\n2 b\n3 c\n");
  fs::create_directory(run_ / "lines.superseded.txt");
  EXPECT_THROW(lines_.cut_after(1), IoError);
  EXPECT_EQ(text("lines.txt"), "1 a\n2 b\n3 c\n");
}

TEST_F(StepLinesTest, AFormerOwnerOfTheRunAddsNothing) {
  lines_.append("1 a\n");
  StepLines successor(run_, "lines", ".txt",
                      [](const std::string&) { return std::optional<int64_t>(1); });
  successor.cut_after(1);  // cuts nothing
  lines_.append("2 b\n");
  EXPECT_EQ(text("lines.txt"), "1 a\n");
  successor.append("2 c\n");
  lines_.append("3 d\n");
  EXPECT_EQ(text("lines.txt"), "1 a\n2 c\n");
}

}  // namespace
}  // namespace lynceus::train
