// A save on a thread of its own: one at a time, and no error is lost.
#include "train/save/background_save.h"

#include <gtest/gtest.h>

#include <chrono>

#include "parallel/agreement.h"

namespace lynceus::train {
namespace {

using parallel::AgreedError;

void wait_for(const BackgroundSave& save) {
  while (!save.is_finished()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(BackgroundSave, RunsBesideItsCallerAndGivesItsResult) {
  BackgroundSave save;
  EXPECT_FALSE(save.is_running());
  EXPECT_FALSE(save.is_finished());
  std::atomic<bool> may_end = false;
  save.begin(7, [&] {
    while (!may_end) std::this_thread::yield();
    return io::SaveResult{.committed = true, .path = "step-7", .message = "", .bytes = 5};
  });
  EXPECT_TRUE(save.is_running());
  EXPECT_FALSE(save.is_finished());
  EXPECT_EQ(save.step(), 7);
  may_end = true;
  wait_for(save);
  EXPECT_TRUE(save.is_running()) << "until the result is taken";
  EXPECT_EQ(save.take().path, "step-7");
  EXPECT_FALSE(save.is_running());
  EXPECT_FALSE(save.is_finished());
}

TEST(BackgroundSave, IsTheOnlyOne) {
  BackgroundSave save;
  save.begin(1, [] { return io::SaveResult(); });
  EXPECT_THROW(save.begin(2, [] { return io::SaveResult(); }), InternalError);
  save.take();
  EXPECT_NO_THROW(save.begin(2, [] { return io::SaveResult(); }));
}

TEST(BackgroundSave, AnErrorOfThisRankAloneIsThrownAtTheNextLook) {
  BackgroundSave save;
  save.begin(1, []() -> io::SaveResult { throw InternalError("only here"); });
  wait_for(save);
  EXPECT_THROW(save.check(), InternalError);
  EXPECT_THROW(save.take(), InternalError);
}

TEST(BackgroundSave, AnErrorOfAllRanksWaitsUntilAllTakeIt) {
  BackgroundSave save;
  save.begin(1, []() -> io::SaveResult { throw AgreedError(ExitCode::kIo, "everywhere"); });
  wait_for(save);
  EXPECT_NO_THROW(save.check());
  EXPECT_THROW(save.take(), AgreedError);
  EXPECT_NO_THROW(save.check());
}

TEST(BackgroundSave, TheEndOfTheRunWaitsForIt) {
  std::atomic<bool> done = false;
  {
    BackgroundSave save;
    save.begin(1, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      done = true;
      return io::SaveResult();
    });
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace lynceus::train
