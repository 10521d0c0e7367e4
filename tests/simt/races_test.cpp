// The race build reports every planted bug of races.h with its lines, in either order of threads;
// the same kernel without the bug passes. A second executable, with uninstrumented kernels, tests
// that the shim alone finds exactly what the table says.
#include "tests/simt/races.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "core/tensor.h"

namespace lynceus::simt::races {
namespace {

struct Case {
  Bug bug;
  std::string file;
  friend void PrintTo(const Case& one, std::ostream* out) { *out << one.bug.name; }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Bug& bug : block_bugs()) all.push_back({bug, "races_block.cu"});
  for (const Bug& bug : warp_bugs()) all.push_back({bug, "races_warp.cu"});
  for (const Bug& bug : memory_bugs()) all.push_back({bug, "races_memory.cu"});
  return all;
}

std::vector<float> run(const Bug& bug, bool planted) {
  const Stream stream(Device{DeviceKind::kCuda, 0});
  std::vector<float> values(kValues);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1 + static_cast<float>(i * i % 97);
  const Tensor in = Tensor::from(stream, {kValues}, values);
  const Tensor out = Tensor::from(stream, {kValues}, std::vector<float>(kValues, 0));
  bug.launch(stream, planted, static_cast<const float*>(in.raw()), static_cast<float*>(out.raw()));
  return out.to_vector<float>();
}

/// In a child process: prints whether the bug shows in the result. A NaN is unequal to everything.
void run_planted(const Bug& bug, const std::vector<float>& right) {
  {
    const auto found = run(bug, true);
    if (found != right) std::fprintf(stderr, "%s\n", kWrong);
    if (found != right) std::abort();
  }
  std::fprintf(stderr, "as if nothing were wrong\n");
  std::abort();
}

const char* expected_message(const Bug& bug) {
  if (engine::observed()) return bug.race;
  const char* const order = std::getenv("LYNCEUS_SIMT_ORDER");
  const bool descending = order != nullptr && std::strcmp(order, "descending") == 0;
  return descending ? bug.descending : bug.ascending;
}

/// "file.cu:12" for each line of the source that ends in "// name".
std::vector<std::string> marked_lines(const Case& one) {
  std::ifstream source(std::string(LYNCEUS_SOURCE_DIR) + "/tests/simt/" + one.file);
  std::vector<std::string> found;
  std::string line;
  for (int number = 1; std::getline(source, line); ++number)
    if (line.ends_with(std::string("// ") + one.bug.name))
      found.push_back(one.file + ":" + std::to_string(number));
  return found;
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.bug.name; }

class RacesDeathTest : public testing::TestWithParam<Case> {};

TEST_P(RacesDeathTest, AreReported) {
  const Bug& bug = GetParam().bug;
  const std::vector<float> right = run(bug, false);
  const char* const message = expected_message(bug);
  if (message == nullptr) {
    EXPECT_DEATH(run_planted(bug, right), "as if nothing were wrong");
    return;
  }
  std::vector<testing::Matcher<const std::string&>> all{testing::HasSubstr(message)};
  const std::vector<std::string> lines = marked_lines(GetParam());
  ASSERT_FALSE(lines.empty());
  if (engine::observed())
    for (const std::string& line : lines) all.push_back(testing::HasSubstr(line));
  EXPECT_DEATH(run_planted(bug, right), testing::AllOfArray(all));
}

INSTANTIATE_TEST_SUITE_P(Bugs, RacesDeathTest, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace lynceus::simt::races
