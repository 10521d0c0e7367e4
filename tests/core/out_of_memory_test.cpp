// A failed allocation, or an error without a handler, ends the process with one message on any
// thread.
#include "core/process/out_of_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"

namespace lynceus {
namespace {

void on_a_thread(void (*work)()) {
  end_when_out_of_memory([](int) {});
  std::thread(work).join();
}

TEST(OutOfMemory, OnAThreadEndsInOneMessage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer reserves more than the limit";
#endif
  const auto allocate_all = [] {
    rlimit limit = {};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = rlim_t{1} << 30;
    setrlimit(RLIMIT_AS, &limit);
    std::vector<std::vector<char>> blocks;
    while (true) blocks.emplace_back(size_t{16} << 20);
  };
  EXPECT_EXIT(on_a_thread(allocate_all), testing::ExitedWithCode(4), "lynceus: out of memory");
  EXPECT_EXIT(on_a_thread([] { throw InputError("x.h5: damaged"); }), testing::ExitedWithCode(3),
              "lynceus: x.h5: damaged");
  EXPECT_EXIT(on_a_thread([] { throw std::bad_alloc(); }), testing::ExitedWithCode(4),
              "out of memory");
  const auto no_thread = [] {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  };
  EXPECT_EXIT(on_a_thread(no_thread), testing::ExitedWithCode(4), "lynceus: out of memory");
}

TEST(OutOfMemory, IsToldFromOtherErrors) {
  const auto of = [](std::errc code) { return std::system_error(std::make_error_code(code)); };
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  EXPECT_TRUE(is_out_of_memory(of(std::errc::resource_unavailable_try_again)));
  EXPECT_TRUE(is_out_of_memory(of(std::errc::not_enough_memory)));
  EXPECT_FALSE(is_out_of_memory(of(std::errc::no_space_on_device)));
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("damaged")));
}

TEST(OutOfMemory, IsSeenBeforeALibraryNeedsIt) {
  EXPECT_NO_THROW(expect_memory(size_t{1} << 20));
  try {
    expect_memory(size_t{1} << 60);
    FAIL() << "the system has less";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kIo);
    EXPECT_STREQ(error.what(), kOutOfMemory);
  }
}

}  // namespace
}  // namespace lynceus
