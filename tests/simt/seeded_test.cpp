// Every planted bug of seeded.h is caught, in either order of threads. Each runs in a child
// process, which ends with a report or exits with whether the result is correct.
#include "tests/simt/seeded.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <ostream>

namespace lynceus::simt {
namespace {

struct Case {
  SeededBug bug;
  bool descending;
};
void PrintTo(const Case& seeded, std::ostream* out) { *out << seeded.bug.name; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const SeededBug& bug : seeded_bugs())
    for (const bool descending : {false, true}) all.push_back({bug, descending});
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.bug.name + (info.param.descending ? "Descending" : "Ascending");
}

// Exit codes that no other failure of the process has.
constexpr int kExitRight = 40, kExitWrong = 41;

/// Runs in the child process, because the engine reads the order only once.
[[noreturn]] void run(const Case& seeded) {
  setenv("LYNCEUS_SIMT_ORDER", seeded.descending ? "descending" : "ascending", /*overwrite=*/1);
  const Stream stream(Device{DeviceKind::kCuda, 0});
  std::_Exit(seeded.bug.run(stream) ? kExitRight : kExitWrong);
}

class Seeded : public testing::TestWithParam<Case> {};
using SeededDeathTest = Seeded;

TEST_P(SeededDeathTest, BehavesAsSaid) {
  const Case& seeded = GetParam();
  switch (seeded.descending ? seeded.bug.descending : seeded.bug.ascending) {
    case Outcome::kRight:
      EXPECT_EXIT(run(seeded), testing::ExitedWithCode(kExitRight), "");
      break;
    case Outcome::kWrong:
      EXPECT_EXIT(run(seeded), testing::ExitedWithCode(kExitWrong), "");
      break;
    case Outcome::kReported:
      EXPECT_EXIT(run(seeded), testing::KilledBySignal(SIGABRT), seeded.bug.message);
      break;
  }
}
INSTANTIATE_TEST_SUITE_P(Bugs, SeededDeathTest, testing::ValuesIn(cases()), name_of);

TEST(Seeded, ShowsInOneOrderAtLeast) {
  for (const SeededBug& bug : seeded_bugs())
    EXPECT_FALSE(bug.ascending == Outcome::kRight && bug.descending == Outcome::kRight) << bug.name;
}

}  // namespace
}  // namespace lynceus::simt
