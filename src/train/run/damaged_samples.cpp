#include "train/run/damaged_samples.h"

#include <fmt/format.h>

#include "core/text/text_encoding.h"
#include "parallel/agreement.h"

namespace lynceus::train {
namespace {

constexpr int64_t kFewSamples = 200;  // with fewer, the share of damaged ones says little

}  // namespace

void count_damaged(const Runtime& rt, double max_bad, const StepDone& step, RunPosition* position,
                   RunReport* report) {
  std::string mine;
  for (const DamagedSample& sample : step.prepared.damaged)
    mine += fmt::format("{}\t{}\t{}\n", position->step, sample.index, table_cell(sample.reason));
  report->write_damaged(rt.grid.world->all_gather(mine));
  position->damaged_samples += step.result.totals.damaged_samples;
  const auto samples = static_cast<double>(position->samples_seen);
  if (position->samples_seen >= kFewSamples &&
      static_cast<double>(position->damaged_samples) / samples > max_bad)
    throw parallel::AgreedError(
        ExitCode::kInput,
        fmt::format("{} of {} samples have damaged media, more than data.max_bad = {}: see {}",
                    position->damaged_samples, position->samples_seen, max_bad,
                    report->damaged_path().string()));
}

}  // namespace lynceus::train
