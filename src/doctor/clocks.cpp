#include "doctor/clocks.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/process/command_output.h"
#include "core/text/units.h"
#include "core/text/utc.h"

namespace lynceus::doctor {
namespace {

constexpr int kQuestions = 8;
constexpr size_t kSmallWorld = 16;
constexpr double kSkew = 1, kLargeSkew = 60;              // seconds
constexpr double kShortJob = 600, kMuchTooShortJob = 60;  // seconds
constexpr double kScontrolSeconds = 5;

/// Ranks to ask, without rank 0.
std::vector<int> asked_ranks(const std::vector<Facts>& ranks) {
  std::vector<int> asked;
  for (const auto& [node, there] : ranks_by_node(ranks))
    for (const int rank : there)
      if (rank != 0 && (ranks.size() <= kSmallWorld || rank == there.front()))
        asked.push_back(rank);
  std::sort(asked.begin(), asked.end());
  return asked;
}

Tensor view_of(double* value) { return Tensor::borrow(value, {1}, DType::kF64); }

ClockOffset ask(parallel::Communicator& world, int rank) {
  ClockOffset best{rank, 0, std::numeric_limits<double>::infinity()};
  for (int i = 0; i < kQuestions; ++i) {
    double question = 0, answer = 0;
    const double before = unix_now();
    world.exchange(std::vector<parallel::Transfer>{{rank, view_of(&question)}}, {});
    world.exchange({}, std::vector<parallel::Transfer>{{rank, view_of(&answer)}});
    const double after = unix_now();
    const double uncertainty = (after - before) / 2;
    if (uncertainty < best.uncertainty) best = {rank, answer - (before + after) / 2, uncertainty};
  }
  return best;
}

void answer(parallel::Communicator& world) {
  for (int i = 0; i < kQuestions; ++i) {
    double question = 0;
    world.exchange({}, std::vector<parallel::Transfer>{{0, view_of(&question)}});
    double now = unix_now();
    world.exchange(std::vector<parallel::Transfer>{{0, view_of(&now)}}, {});
  }
}

}  // namespace

std::vector<ClockOffset> measure_clocks(parallel::Communicator& world,
                                        const std::vector<Facts>& ranks) {
  std::vector<ClockOffset> offsets;
  for (const int rank : asked_ranks(ranks)) {
    if (world.rank() == 0) offsets.push_back(ask(world, rank));
    if (world.rank() == rank) answer(world);
  }
  return offsets;
}

CheckResult check_clocks(const std::vector<ClockOffset>& offsets, const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "limits.clocks";
  if (offsets.empty()) return passed(kCheck, "one rank");
  const auto certain = [](const ClockOffset& offset) {
    return std::max(0.0, std::abs(offset.seconds) - offset.uncertainty);
  };
  const ClockOffset& most = *std::max_element(
      offsets.begin(), offsets.end(),
      [&](const ClockOffset& a, const ClockOffset& b) { return certain(a) < certain(b); });
  const double skew = certain(most);
  Verdict verdict = Verdict::kOk;
  if (skew > kSkew) verdict = Verdict::kWarning;
  if (skew > kLargeSkew) verdict = Verdict::kCritical;
  const std::string& node = text_of(ranks[static_cast<size_t>(most.rank)], kNode);
  CheckResult finding = judged(
      kCheck, verdict,
      verdict == Verdict::kOk
          ? fmt::format("equal within {:.3f} s", std::abs(most.seconds) + most.uncertainty)
          : fmt::format("rank {} on {} is {:.1f} s {} rank 0", most.rank, node, skew,
                        most.seconds > 0 ? "ahead of" : "behind"),
      fmt::format("at most {:.0f} s", kSkew),
      fmt::format("let the site start chrony or ntpd on {}, or leave that node out (--exclude)",
                  node));
  finding.figures["seconds"] = most.seconds;
  return finding;
}

std::optional<double> job_end_of_slurm() {
  const char* job = std::getenv("SLURM_JOB_ID");
  if (job == nullptr) return std::nullopt;
  const auto text = command_output({"scontrol", "show", "job", job}, kScontrolSeconds);
  constexpr std::string_view kKey = "EndTime=";
  const size_t at = text ? text->find(kKey) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  tm local{};
  local.tm_isdst = -1;
  if (strptime(text->c_str() + at + kKey.size(), "%Y-%m-%dT%H:%M:%S", &local) == nullptr)
    return std::nullopt;
  return static_cast<double>(mktime(&local));
}

CheckResult check_job_end(const std::optional<train::JobEnd>& end, std::optional<double> slurm_end,
                          double now) {
  constexpr const char* kCheck = "limits.job-end";
  if (!end && !slurm_end) return passed(kCheck, "no end is known");
  const double at = end ? end->unix_seconds : *slurm_end;
  const double left = at - now;
  const std::string source = end ? end->source : "scontrol show job";
  const std::string measured = left > 0 ? fmt::format("in {} ({})", seconds_text(left), source)
                                        : fmt::format("{} ago ({})", seconds_text(-left), source);
  if (left < kShortJob)
    return judged(kCheck, left < kMuchTooShortJob ? Verdict::kCritical : Verdict::kWarning,
                  measured, fmt::format("at least {}", seconds_text(kShortJob)),
                  "ask for more time (--time), or correct LYNCEUS_JOB_END or train.max_hours");
  if (!end)
    return judged(kCheck, Verdict::kWarning,
                  fmt::format("{}, but the run does not know it", measured),
                  "LYNCEUS_JOB_END in the environment",
                  "export LYNCEUS_JOB_END=$(date -d \"$(squeue -h -j $SLURM_JOB_ID -o %e)\" +%s) "
                  "in the batch script, above srun");
  return passed(kCheck, measured);
}

}  // namespace lynceus::doctor
