// What the system would still give: memory of the node and of the job's control group, open files.
#include "core/process/free_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "core/error.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public testing::Test {
 protected:
  FreeMemory() { fs::remove_all(root_); }
  ~FreeMemory() override { fs::remove_all(root_); }
  void write(const fs::path& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  const fs::path root_ = fs::path(testing::TempDir()) / "free-memory";
};

TEST_F(FreeMemory, IsThatOfTheNodeWithoutALimit) {
  EXPECT_EQ(free_memory_bytes(root_), 0u) << "not known";
  write("proc/meminfo", "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  600 kB\n");
  EXPECT_EQ(free_memory_bytes(root_), 600u << 10);
  write("proc/self/cgroup", "0::/job_1/step\n");
  write("sys/fs/cgroup/job_1/memory.max", "max\n");
  write("sys/fs/cgroup/job_1/memory.current", "5000\n");
  EXPECT_EQ(free_memory_bytes(root_), 600u << 10);
}

TEST_F(FreeMemory, IsWhatTheJobHasLeftIfThatIsLess) {
  write("proc/meminfo", "MemAvailable:  600 kB\n");
  write("proc/self/cgroup", "0::/job_1/step\n");
  write("sys/fs/cgroup/job_1/memory.max", "102400\n");
  write("sys/fs/cgroup/job_1/memory.current", "2400\n");
  EXPECT_EQ(free_memory_bytes(root_), 100000u) << "of a group above the process";
  write("sys/fs/cgroup/job_1/step/memory.max", "5000\n");
  write("sys/fs/cgroup/job_1/step/memory.current", "6000\n");
  EXPECT_EQ(free_memory_bytes(root_), 0u);
}

TEST(FreeMemoryHere, IsSome) { EXPECT_GT(free_memory_bytes(), 1u << 20); }

TEST(OpenFiles, AreRefusedBeyondTheLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_NO_THROW(expect_open_files(8));
  rlimit few = before;
  few.rlim_cur = 12;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::string message;
  try {
    expect_open_files(12);
  } catch (const Error& error) {
    message = error.what();
    EXPECT_EQ(error.code(), ExitCode::kIo);
  }
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_THAT(message, testing::ContainsRegex(
                           "has [0-9]+ files open, its limit is 12, and 12 more are needed"));
}

}  // namespace
}  // namespace lynceus
