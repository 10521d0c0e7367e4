// The progress line with a clock that the test sets.
#include "core/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lynceus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProgressTest : public testing::Test {
 protected:
  void SetUp() override {
    file = std::tmpfile();
    ASSERT_NE(file, nullptr);
  }
  void TearDown() override { std::fclose(file); }

  ProgressOptions options(bool terminal) {
    return {.file = file, .terminal = terminal, .clock = [this] { return now; }};
  }
  std::string written() {
    std::fflush(file);
    std::string text(static_cast<size_t>(std::ftell(file)), '\0');
    std::rewind(file);
    EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
    return text;
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> result;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      result.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return result;
  }

  std::FILE* file = nullptr;
  double now = 1000.0;
};

TEST_F(ProgressTest, ALogGetsALineEveryTenSecondsAndTheLast) {
  Progress progress("prepare", 500, "samples", options(false));
  for (int i = 0; i < 250; ++i) {
    now += 0.1;
    if (i == 150) progress.note("2 skipped");
    progress.advance(2);
  }
  progress.finish();
  progress.finish();
  EXPECT_THAT(lines(written()),
              ElementsAre("prepare  200/500 samples (40 %)  20 samples/s  0:15 left",
                          "prepare  400/500 samples (80 %)  20 samples/s  0:05 left  2 skipped",
                          "prepare  500 samples in 0:25, 20 samples/s  2 skipped"));
}

TEST_F(ProgressTest, BytesAreCountedInMebibytes) {
  ByteProgress progress("verify", 5 << 20, options(false));
  for (int i = 0; i < 10; ++i) {
    now += 0.1;
    progress.advance(1 << 19);  // half a MiB
  }
  progress.finish();
  EXPECT_THAT(lines(written()), ElementsAre("verify  5 MiB in 0:01, 5 MiB/s"));
}

TEST_F(ProgressTest, ATerminalIsRedrawnInPlaceAtMostFiveTimesASecond) {
  Progress progress("train", 1000, "steps", options(true));
  for (int i = 0; i < 1000; ++i) {
    now += 1.0 / 1024;
    progress.advance();
  }
  progress.finish();
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const auto drawn = std::count(text.begin(), text.end(), '\r') / 2;
  EXPECT_GE(drawn, 4);
  EXPECT_LE(drawn, 5);
  EXPECT_TRUE(text.ends_with("\r\x1b[Ktrain  1000 steps in 0:01, 1024 steps/s\n")) << text;
}

TEST_F(ProgressTest, ALongLineIsCutToTheTerminal) {
  Progress progress("train", 10, "steps", options(true));
  progress.note(std::string(300, 'x'));
  now += 1;
  progress.advance();
  EXPECT_LE(written().size(), 80u + 5u);
}

TEST_F(ProgressTest, WhatAnEarlierRunDidIsNotInTheRate) {
  ProgressOptions resumed = options(false);
  resumed.done_before = 900;
  Progress progress("train", 1000, "steps", std::move(resumed));
  now += 10;
  progress.advance(50);
  progress.finish();
  EXPECT_THAT(lines(written()), ElementsAre("train  950/1000 steps (95 %)  5 steps/s  0:10 left",
                                            "train  50 steps in 0:10, 5 steps/s"));
}

TEST_F(ProgressTest, AnUnknownTotalShowsTheTimeSoFar) {
  Progress progress("read", 0, "rows", options(false));
  now += 3725;
  progress.advance(7450);
  EXPECT_THAT(lines(written()), ElementsAre("read  7450 rows  2 rows/s  1:02:05 so far"));
}

TEST_F(ProgressTest, AnUnfinishedTerminalLineIsEnded) {
  {
    Progress progress("train", 10, "steps", options(true));
    now += 1;
    progress.advance();
  }
  EXPECT_TRUE(written().ends_with("\r\n"));
}

TEST_F(ProgressTest, SilentWithoutAFile) {
  Progress progress("train", 10, "steps", {.file = nullptr});
  progress.advance(10);
  progress.finish();
}

TEST_F(ProgressTest, ManyThreadsMayAdvance) {
  Progress progress("decode", 4000, "images", options(false));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) progress.advance();
    });
  for (auto& thread : threads) thread.join();
  now += 2;
  progress.finish();
  EXPECT_THAT(lines(written()), ElementsAre("decode  4000 images in 0:02, 2000 images/s"));
}

TEST_F(ProgressTest, OneIsSingular) {
  Progress progress("prepare", 1, "rows", options(false));
  now += 1;
  progress.advance();
  progress.finish();
  Progress mebibytes("verify", 0, "MiB", options(false));
  now += 10;
  mebibytes.advance(10);
  Progress files("read", 0, "files", options(false));
  now += 10;
  files.advance(1);
  EXPECT_THAT(lines(written()),
              ElementsAre("prepare  1 row in 0:01, 1 row/s", "verify  10 MiB  1 MiB/s  0:10 so far",
                          "read  1 file  0.1 files/s  0:10 so far"));
}

}  // namespace
}  // namespace lynceus
