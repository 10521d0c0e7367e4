// The rules about limits, memory, clocks, GPUs and messages, on values of machines that are not
// here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "doctor/clocks.h"
#include "doctor/gpus.h"
#include "doctor/kernel_log.h"
#include "doctor/limits.h"
#include "doctor/memory.h"
#include "doctor/network/links.h"
#include "doctor/network/pattern.h"
#include "doctor/report.h"
#include "doctor/storage.h"

namespace lynceus::doctor {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int64_t kMiB = 1 << 20, kGiB = 1 << 30;

CheckResult find(const CheckResults& results, const std::string& check) {
  for (const CheckResult& result : results)
    if (result.check == check) return result;
  ADD_FAILURE() << "no check " << check;
  return {};
}

void expect(const CheckResult& result, Verdict verdict, const std::string& measured,
            const std::string& remedy) {
  EXPECT_STREQ(name_of(result.verdict), name_of(verdict))
      << result.check << ": " << result.measured;
  EXPECT_THAT(result.measured, HasSubstr(measured));
  EXPECT_THAT(result.remedy, HasSubstr(remedy));
}
void expect_ok(const CheckResult& result) { expect(result, Verdict::kOk, "", ""); }

TEST(Limits, OfTheProcess) {
  const LimitNeeds needs{.world = 8, .ranks_on_node = 2, .threads = 4, .has_fast_network = false};
  for (const CheckResult& result : check_limits({}, needs)) expect_ok(result);
  ProcessLimits small{64 << 10, 100, kGiB, 64 << 10, 50, false};
  expect(find(check_limits(small, needs), "limits.locked-memory"), Verdict::kWarning, "64.0 KiB",
         "ulimit -l unlimited");
  expect(find(check_limits(small, needs), "limits.open-files"), Verdict::kWarning, "100",
         "ulimit -n 4096");
  expect(find(check_limits(small, needs), "limits.address-space"), Verdict::kWarning, "1.0 GiB",
         "ulimit -v");
  expect(find(check_limits(small, needs), "limits.stack"), Verdict::kWarning, "64.0 KiB",
         "ulimit -s");
  expect(find(check_limits(small, needs), "limits.processes"), Verdict::kWarning, "50",
         "ulimit -u");
  small.is_root = true;
  expect_ok(find(check_limits(small, needs), "limits.processes"));
}

TEST(Limits, CardsThatReadMemoryNeedItLocked) {
  ProcessLimits limits;
  limits.locked_memory = 8 * kMiB;
  expect_ok(find(check_limits(limits, {.has_fast_network = false}), "limits.locked-memory"));
  expect(find(check_limits(limits, {.has_fast_network = true}), "limits.locked-memory"),
         Verdict::kCritical, "8.0 MiB", "ulimit -l unlimited");
}

TEST(Limits, SharedMemory) {
  const LimitNeeds two{.ranks_on_node = 2};
  expect_ok(check_shared_memory(SharedMemory{64 * kMiB, 50 * kMiB}, two));
  expect(check_shared_memory(SharedMemory{63 * kMiB, 50 * kMiB}, two), Verdict::kWarning,
         "63.0 MiB", "--shm-size");
  expect(check_shared_memory(SharedMemory{kGiB, kMiB}, two), Verdict::kCritical,
         "1.0 MiB of it free", "/dev/shm");
  expect(check_shared_memory(std::nullopt, two), Verdict::kCritical, "no /dev/shm", "/dev/shm");
}

class Cgroup : public testing::Test {
 protected:
  Cgroup() { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::optional<int64_t> limit() { return cgroup_limit(root_, root_ / "membership"); }
  const fs::path root_ = fs::path(testing::TempDir()) / "cgroup";
};

TEST_F(Cgroup, TheSmallestLimitAboveCounts) {
  write("membership", "0::/job/step\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("job/step/memory.max", "max\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("job/memory.max", "2147483648\n");
  EXPECT_EQ(limit(), 2 * kGiB);
  write("memory.max", "1073741824\n");
  EXPECT_EQ(limit(), kGiB);
}

TEST_F(Cgroup, OfVersionOne) {
  write("membership", "12:cpu:/x\n9:memory,hugetlb:/slurm/job\n");
  write("memory/slurm/job/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("memory/slurm/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(limit(), kGiB);
}

TEST(Memory, AgainstTheModel) {
  std::vector<Facts> ranks(2, Facts{{kNode, "n1"}, {"memory.machine", std::to_string(16 * kGiB)}});
  expect_ok(find(check_memory(ranks, {0, 0}), "limits.memory"));
  expect_ok(find(check_memory(ranks, {7 * kGiB, 7 * kGiB}), "limits.memory"));
  expect(find(check_memory(ranks, {15 * kGiB / 2, 15 * kGiB / 2}), "limits.memory"),
         Verdict::kWarning, "at least 15.0 GiB", "--train.recompute layer");
  expect(find(check_memory(ranks, {9 * kGiB, 9 * kGiB}), "limits.memory"), Verdict::kCritical,
         "at least 18.0 GiB", "parallel.tensor");
  ranks[0]["memory.group"] = std::to_string(4 * kGiB);
  const CheckResult group = find(check_memory(ranks, {3 * kGiB, 3 * kGiB}), "limits.memory");
  expect(group, Verdict::kCritical, "at least 6.0 GiB", "ask for more");
  EXPECT_THAT(group.expected, HasSubstr("4.0 GiB (the control group's limit)"));
  ranks[0]["memory.slurm"] = std::to_string(2 * kGiB);
  EXPECT_THAT(find(check_memory(ranks, {3 * kGiB, 3 * kGiB}), "limits.memory").expected,
              HasSubstr("2.0 GiB (the job's --mem)"));
  ranks.assign(1, Facts{{kNode, "n1"},
                        {"memory.machine", std::to_string(64 * kGiB)},
                        {"memory.process", std::to_string(8 * kGiB)}});
  expect(find(check_memory(ranks, {9 * kGiB}), "limits.memory"), Verdict::kCritical, "rank 0", "");
}

TEST(Clocks, ADifferenceCountsWithoutItsUncertainty) {
  const std::vector<Facts> ranks(2, Facts{{kNode, "n1"}});
  expect_ok(check_clocks({}, ranks));
  expect_ok(check_clocks({{1, 0.9, 0.01}}, ranks));
  expect_ok(check_clocks({{1, 3.0, 2.5}}, ranks));  // a busy machine
  expect(check_clocks({{1, -3.0, 0.1}}, ranks), Verdict::kWarning, "2.9 s behind rank 0", "chrony");
  expect(check_clocks({{1, 3600, 0.1}}, ranks), Verdict::kCritical, "ahead of rank 0", "n1");
}

TEST(Clocks, TheEndOfTheJob) {
  const double now = 1e9;
  const auto end = [](double at) { return train::JobEnd{at, "LYNCEUS_JOB_END"}; };
  expect_ok(check_job_end(std::nullopt, std::nullopt, now));
  expect_ok(check_job_end(end(now + 3600), std::nullopt, now));
  expect(check_job_end(end(now + 300), std::nullopt, now), Verdict::kWarning, "in 5 min", "--time");
  expect(check_job_end(end(now + 30), std::nullopt, now), Verdict::kCritical, "in 30", "--time");
  expect(check_job_end(end(now - 30), std::nullopt, now), Verdict::kCritical, "ago", "--time");
  expect(check_job_end(std::nullopt, now + 3600, now), Verdict::kWarning, "does not know it",
         "export LYNCEUS_JOB_END");
}

TEST(KernelLog, XidsOfTheHardware) {
  EXPECT_TRUE(hardware_xids("").empty());
  const std::string log =
      "6,1,2,-;NVRM: Xid (PCI:0000:17:00): 31, pid=1, MMU Fault\n"
      "6,1,3,-;usb 1-1: new device\n"
      "4,1,4,-;NVRM: Xid (PCI:0000:c1:00): 79, pid=1, GPU has fallen off the bus.\n";
  const auto xids = hardware_xids(log);
  ASSERT_EQ(xids.size(), 1u);
  EXPECT_EQ(xids[0].number, 79);
  EXPECT_EQ(xids[0].device, "PCI:0000:c1:00");
  EXPECT_THAT(xids[0].line, testing::StartsWith("NVRM: Xid"));
}

TEST(Gpus, ALibraryThatIsMissing) {
  GpuLibrary library;
  library.name = "libnvidia-ml.so.1";
  expect_ok(find(check_gpus(library, {.why_none = "built without CUDA"}, ""), "gpu.library"));
  expect(find(check_gpus(library, {.why_none = "no", .driver_is_loaded = true}, ""), "gpu.library"),
         Verdict::kWarning, "no GPU library", "LD_LIBRARY_PATH");
  library.found = true;
  library.failure = "Driver Not Loaded";
  expect(find(check_gpus(library, {.why_none = "no"}, ""), "gpu.library"), Verdict::kCritical,
         "Driver Not Loaded", "nvidia-smi");
}

TEST(Gpus, APowerCapAndIdlenessAreNoFaults) {
  GpuLibrary library;
  library.found = true;
  GpuState gpu;
  gpu.bus = "00000000:17:00.0";
  gpu.clock = 990;
  gpu.most_clock = 1980;
  const auto clocks = [&](uint64_t reasons) {
    gpu.clock_reasons = reasons;
    library.gpus = {gpu};
    return find(check_gpus(library, {.visible = 1}, std::nullopt), "gpu.clocks");
  };
  expect_ok(clocks(kReasonIdle));
  expect_ok(clocks(kReasonPowerCap));
  expect(clocks(0), Verdict::kWarning, "GPU 00000000:17:00.0: 990 of 1980 MHz",
         "--reset-gpu-clocks");
  gpu.clock = 1900;
  expect_ok(clocks(0));
}

TEST(Links, EveryPairIsInOneRound) {
  for (int count = 0; count <= 9; ++count) {
    std::set<std::pair<int, int>> pairs;
    for (const auto& round : rounds_of(count)) {
      std::set<int> busy;
      for (const auto& [a, b] : round) {
        EXPECT_LT(a, b);
        EXPECT_LT(b, count);
        EXPECT_TRUE(busy.insert(a).second && busy.insert(b).second);
        EXPECT_TRUE(pairs.insert({a, b}).second);
      }
    }
    EXPECT_EQ(std::ssize(pairs), count * (count - 1) / 2);
  }
}

/// All links of `ranks` ranks, one millisecond each.
std::vector<Link> links_of(int ranks) {
  std::vector<Link> links;
  for (int a = 0; a < ranks; ++a)
    for (int b = a + 1; b < ranks; ++b) links.push_back({a, b, 1e-3, ""});
  return links;
}

TEST(Links, TheSlowestIsNamed) {
  constexpr double kDifference = 2e-3;
  std::vector<Link> links = links_of(4);
  EXPECT_EQ(slowest(links, kDifference), "");
  links[3].seconds = 2.9e-3;  // less than three times the median
  EXPECT_EQ(slowest(links, kDifference), "");
  links[3].seconds = 9e-3;
  EXPECT_THAT(slowest(links, kDifference), HasSubstr("between rank 1 and rank 2: 9.000 ms"));
  EXPECT_EQ(slowest(links, 20e-3), "");
  for (Link& link : links)
    if (link.b == 3) link.seconds = 9e-3;
  EXPECT_THAT(slowest(links, kDifference), HasSubstr("rank 3 is slow to all others: 9.000 ms"));
  EXPECT_EQ(slowest({{0, 1, 9e-3, ""}}, kDifference), "");
}

TEST(Pattern, EachElementOfEachRankMatters) {
  const Tensor x = Tensor::empty(Stream(), {70000});
  const Tensor sum = Tensor::zeros(Stream(), {70000});
  for (const int rank : {0, 2, 5}) {
    fill_pattern(x, rank);
    EXPECT_EQ(first_wrong(x, rank), -1);
    EXPECT_EQ(first_wrong(x, rank + 1), 0);
    for (int64_t i = 0; i < x.size(); ++i) sum.data<float>()[i] += x.data<float>()[i];
  }
  EXPECT_EQ(first_wrong_sum(sum, {0, 2, 5}), -1);
  sum.data<float>()[69999] += 1;
  EXPECT_EQ(first_wrong_sum(sum, {0, 2, 5}), 69999);
  x.data<float>()[256] = x.data<float>()[0];  // from another block
  EXPECT_EQ(first_wrong(x, 5), 256);
}

TEST(Storage, SpaceInodesAndTime) {
  const StorageNeeds model{.checkpoint_bytes = kGiB, .kept = 2, .every_minutes = 30};
  const StorageNeeds none;
  expect_ok(check_space({4 * kGiB, 1000, std::nullopt}, model));
  expect(check_space({3 * kGiB, 1000, std::nullopt}, model), Verdict::kWarning, "3.0 GiB free",
         "--checkpoint.keep_last");
  expect(check_space({2 * kGiB, 1000, std::nullopt}, model), Verdict::kCritical, "2.0 GiB free",
         "quota");
  expect(check_space({4 * kGiB, 1000, kMiB}, model), Verdict::kCritical, "files of at most 1.0 MiB",
         "ulimit -f");
  expect_ok(check_space({kGiB, 1000, std::nullopt}, none));
  expect(check_space({kMiB, 1000, std::nullopt}, none), Verdict::kWarning, "1.0 MiB", "free some");
  expect_ok(check_inodes({kGiB, 1000, std::nullopt}, none));
  expect_ok(check_inodes({kGiB, std::nullopt, std::nullopt}, none));
  expect(check_inodes({kGiB, 3, std::nullopt}, none), Verdict::kCritical, "3 free",
         "quota of files");
  expect_ok(check_write_rate(100 * kMiB, 1, model));
  expect_ok(check_write_rate(kMiB, 10, none));
  expect(check_write_rate(kMiB, 1, model), Verdict::kWarning, "1 MiB/s", "lfs setstripe");
}

TEST(Report, TheWorstVerdictIsTheExitCode) {
  DoctorReport report;
  EXPECT_EQ(plugin_code(report.verdict()), 0);
  report.ranks = 2;
  report.results = {passed("limits.stack", "8.0 MiB")};
  EXPECT_EQ(plugin_code(report.verdict()), 0);
  report.results.push_back(not_checked("gpu.library", "refused", "ask"));
  EXPECT_EQ(plugin_code(report.verdict()), 3);
  report.results.push_back(judged("limits.open-files", Verdict::kWarning, "10", "20", "ulimit"));
  EXPECT_EQ(plugin_code(report.verdict()), 1);
  report.results.push_back(judged("limits.memory", Verdict::kCritical, "1", "2", "buy"));
  EXPECT_EQ(plugin_code(report.verdict()), 2);
  const std::string json = to_json(report).dump();
  EXPECT_THAT(json, AllOf(HasSubstr(R"("verdict":"critical")"), HasSubstr(R"("name":"memory")"),
                          HasSubstr(R"("remedy":"buy")")));
  std::string table;
  for (const std::string& line : table_of(report)) table += line + "\n";
  EXPECT_THAT(table, AllOf(HasSubstr("limits\n  ok"), HasSubstr("10; expected 20"),
                           HasSubstr("remedy: buy"),
                           HasSubstr("doctor: critical (1 critical, 1 warning, 1 unknown, 1 ok)")));
}

TEST(Report, EqualFaultsOfSeveralRanksAreOne) {
  const CheckResult ok = passed("limits.stack", "8.0 MiB");
  const CheckResult bad = judged("limits.stack", Verdict::kWarning, "1 KiB", "1.0 MiB", "ulimit");
  const std::vector<std::string> nodes = {"n1", "n1", "n2", "n2"};
  EXPECT_THAT(merge({{ok}, {ok}, {ok}, {ok}}, nodes), testing::ElementsAre(ok));
  CheckResult on_n2 = bad, everywhere = bad, mixed = bad;
  on_n2.where = "ranks 2, 3 on n2";
  EXPECT_THAT(merge({{ok}, {ok}, {bad}, {bad}}, nodes), testing::ElementsAre(on_n2));
  EXPECT_THAT(merge({{bad}, {bad}, {bad}, {bad}}, nodes), testing::ElementsAre(everywhere));
  mixed.where = "ranks 1-3";
  EXPECT_THAT(merge({{ok}, {bad}, {bad}, {bad}}, nodes), testing::ElementsAre(mixed));
}

}  // namespace
}  // namespace lynceus::doctor
