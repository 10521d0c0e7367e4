// The cores of a rank, and the number of threads that decode images.
#include "core/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>

namespace lynceus {
namespace {

TEST(Cores, ARankHasItsShareOfTheNode) {
  EXPECT_EQ(cores_of_rank(16, 16, 1), 16);
  EXPECT_EQ(cores_of_rank(16, 16, 8), 2) << "no binding: the node is divided";
  EXPECT_EQ(cores_of_rank(2, 16, 8), 2) << "each bound to its own two";
  EXPECT_EQ(cores_of_rank(1, 16, 2), 1) << "bound to one core";
  EXPECT_EQ(cores_of_rank(8, 16, 8), 2) << "four ranks bound to one socket share it";
  EXPECT_EQ(cores_of_rank(16, 16, 3), 5);
  EXPECT_EQ(cores_of_rank(2, 2, 8), 1) << "more ranks than cores";
  EXPECT_EQ(cores_of_rank(0, 0, 0), 1) << "a machine that reports no cores";
}

TEST(Cores, DecodeThreadsFollowTheRanksCores) {
  const auto threads = [](int ranks_on_node, bool on_device) {
    return decode_threads(cores_of_rank(16, 16, ranks_on_node), on_device);
  };
  EXPECT_EQ(threads(1, false), 2);
  EXPECT_EQ(threads(2, false), 1);
  EXPECT_EQ(threads(8, false), 1);
  EXPECT_EQ(threads(1, true), 8);
  EXPECT_EQ(threads(4, true), 3);
  EXPECT_EQ(threads(8, true), 1);
  EXPECT_EQ(threads(64, true), 1);
  EXPECT_EQ(decode_threads(128, false), 8);
}

TEST(Cores, ABindingThatLeavesCoresUnusedIsAWarning) {
  const CoreSet all = {0, 1, 2, 3};
  const auto warning = [](const std::vector<RankCores>& ranks) { return unused_cores(ranks); };
  EXPECT_EQ(warning({{"a", all, all, 4}}), "");
  EXPECT_EQ(warning({{"a", {0, 1}, all, 2}, {"a", {2, 3}, all, 2}}), "");
  EXPECT_NE(warning({{"a", {0}, all, 1}, {"a", {1}, all, 1}})
                .find("the 2 ranks on a are bound to 2 of the 4 cores there: start mpirun with "
                      "--bind-to none or --map-by numa:PE=2"),
            std::string::npos);
  EXPECT_NE(warning({{"a", {0}, all, 1}}).find("the 1 rank on a is bound to 1 of"),
            std::string::npos);
  EXPECT_NE(warning({{"a", all, all, 4}, {"b", {1}, {0, 1}, 1}}).find("on b"), std::string::npos)
      << "each node is looked at";
}

TEST(Cores, EqualRanksAreOneLine) {
  EXPECT_EQ(describe_cores({{"a", {0, 1}, {}, 2}, {"b", {4, 5}, {}, 2}}),
            "each rank may use 2 cores, 2 threads");
  EXPECT_EQ(describe_cores({{"a", {0}, {}, 1}, {"a", {0, 1}, {}, 2}}),
            "rank 0: 1 core, 1 thread; rank 1: 2 cores, 2 threads");
}

TEST(Cores, AMachineMayHaveMoreThanATable) {
  // As a system with 4096 cores.
  const auto call = [](size_t bytes, void* bits) {
    if (bytes < 512) {
      errno = EINVAL;
      return -1;
    }
    for (const int core : {3, 1500}) CPU_SET_S(core, bytes, static_cast<cpu_set_t*>(bits));
    return 0;
  };
  EXPECT_EQ(read_affinity(call), (CoreSet{3, 1500}));
  EXPECT_EQ(read_affinity([](size_t, void*) {
              errno = EINVAL;
              return -1;
            }),
            CoreSet{});
}

TEST(Cores, ThisProcessHasSome) {
  EXPECT_GE(cores_of_this_rank(), 1);
  EXPECT_FALSE(bound_cores().empty());
  EXPECT_GE(physical_cores(), 1);
  EXPECT_LE(physical_cores(), static_cast<int>(bound_cores().size()));
}

}  // namespace
}  // namespace lynceus
