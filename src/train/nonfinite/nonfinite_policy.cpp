#include "train/nonfinite/nonfinite_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace lynceus::train {
namespace {

constexpr size_t kNamesInLog = 4;

/// "a, b and 3 more".
std::string first_of(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesInLog); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNamesInLog) text += fmt::format(" and {} more", names.size() - kNamesInLog);
  return text;
}

/// Earlier bad steps within the window that ends, or after a rollback begins, with `step`.
int64_t recent(const std::vector<io::LeftOutStep>& earlier, int64_t step) {
  return std::count_if(earlier.begin(), earlier.end(), [&](const io::LeftOutStep& bad) {
    return std::abs(bad.step - step) < kNonfiniteWindow;
  });
}

}  // namespace

NonfiniteAction action_after(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                             int64_t step) {
  if (config.nonfinite == "stop" || recent(earlier, step) + 1 >= config.nonfinite_limit)
    return NonfiniteAction::kStop;
  return config.nonfinite == "skip" ? NonfiniteAction::kSkip : NonfiniteAction::kRollBack;
}

std::vector<std::string> origin_lines(int64_t step, const NonfiniteOrigin& origin) {
  std::vector<std::string> ranks, samples;
  for (const int rank : origin.ranks) ranks.push_back(std::to_string(rank));
  for (const auto& [index, sample] : origin.samples) samples.push_back(sample);
  const char* plural = ranks.size() == 1 ? "" : "s";
  std::vector<std::string> lines = {
      fmt::format("step {}: values that are not finite arose {}; rank{} {}", step,
                  describe(origin.place), plural, first_of(ranks))};
  if (!origin.parameters.empty())
    lines.push_back(
        fmt::format("step {}: parameters with such {}: {}", step,
                    origin.place == NonfiniteOrigin::Place::kValues ? "values" : "gradients",
                    first_of(origin.parameters)));
  if (!samples.empty())
    lines.push_back(
        fmt::format("step {}: samples of the rank{}: {}", step, plural, first_of(samples)));
  return lines;
}

std::string action_line(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                        int64_t step, const StepResult& result) {
  return fmt::format(
      "step {}: {} (train.nonfinite = {}): number {} of this kind within {} steps, number {} ends "
      "the run",
      step, describe_nonfinite(result), config.nonfinite, recent(earlier, step) + 1,
      kNonfiniteWindow, config.nonfinite_limit);
}

std::string stop_text(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                      int64_t step, const StepResult& result) {
  std::string text = fmt::format("step {}: {}", step, describe_nonfinite(result));
  if (config.nonfinite != "stop")
    text += fmt::format(
        "; this is the step number {} of this kind within {} steps (train.nonfinite_limit)",
        recent(earlier, step) + 1, kNonfiniteWindow);
  return text;
}

std::vector<io::LeftOutStep> left_out_after_rollback(std::vector<io::LeftOutStep> left_out,
                                                     int64_t step) {
  std::erase_if(left_out,
                [&](const io::LeftOutStep& bad) { return !bad.rolled_back && bad.step > step; });
  return left_out;
}

}  // namespace lynceus::train
