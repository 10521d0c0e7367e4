// The system calls of a commit and their order. This program's fallocate, fsync and renames replace
// the library's, record each call and may be interrupted.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "tests/io/checkpoint/checkpoint_fixture.h"

namespace {

int interruptions = 0;
std::vector<std::string>* calls = nullptr;

void note(const std::string& call, const std::string& path) {
  if (calls != nullptr)
    calls->push_back(call + " " + std::filesystem::path(path).filename().string());
}

}  // namespace

extern "C" {

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  if (interruptions > 0) {
    --interruptions;
    errno = EINTR;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fallocate, descriptor, mode, offset, size));
}

int fsync(int descriptor) {
  char path[4096] = "";
  const std::string link = fmt::format("/proc/self/fd/{}", descriptor);
  if (readlink(link.c_str(), path, sizeof path - 1) > 0) note("fsync", path);
  if (interruptions > 0) {
    --interruptions;
    errno = EINTR;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

int rename(const char* from, const char* to) noexcept {
  note("rename", to);
  return static_cast<int>(syscall(SYS_rename, from, to));
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned int flags) noexcept {
  note("rename", to);
  return static_cast<int>(syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}
}

namespace lynceus::io {
namespace {

using testing::ElementsAre;

class SystemCalls : public testing::Test {
 protected:
  SaveResult save() {
    for (const LocalTensor& tensor : tensors_) tensor.fill(1);
    return store_.save(manifest_of(1), entries_of(tensors_));
  }

  const std::unique_ptr<parallel::Communicator> world_ = parallel::make_self_communicator();
  const RunDirectory run_{*world_};
  const Stream stream_;
  const std::vector<LocalTensor> tensors_ = local_tensors(model_tensors(false), {}, 0, stream_);
  CheckpointStore store_{*world_, {.run_directory = run_.path()}};
};

TEST_F(SystemCalls, DataIsOnDiskBeforeTheCommit) {
  std::vector<std::string> log;
  calls = &log;
  const SaveResult result = save();
  calls = nullptr;
  EXPECT_TRUE(result.committed) << result.message;
  log.erase(std::unique(log.begin(), log.end()), log.end());  // consecutive equal calls as one
  EXPECT_THAT(log, ElementsAre("fsync state.h5", "fsync step-00000001", "fsync MANIFEST.json.tmp",
                               "rename MANIFEST.json", "fsync step-00000001",
                               "rename step-00000001", "fsync checkpoints", "rename latest"));
}

TEST_F(SystemCalls, ASaveThatSignalsInterruptIsCommitted) {
  interruptions = 9;
  const SaveResult result = save();
  EXPECT_TRUE(result.committed) << result.message;
  EXPECT_EQ(interruptions, 0);
}

}  // namespace
}  // namespace lynceus::io
