#include "train/run/run_trace.h"

#include <fmt/format.h>

#include <cstdio>

#include "core/log.h"
#include "core/trace.h"
#include "parallel/dry_run.h"

namespace lynceus::train {

void print_schedule(const Runtime& rt, const std::string& schedule, const ReplicaBatch& batch) {
  if (batch.windows.empty()) return;
  const auto kind = parallel::parse_schedule_kind(schedule);
  const auto schedules =
      parallel::make_schedules(kind, rt.grid.pipeline->size(), batch.windows.front().micro_batches);
  fmt::print("{}", parallel::describe(parallel::dry_run(schedules)));
  std::fflush(stdout);
}

void write_trace(const TrainingRun& run, TraceRange* range) {
  const int64_t last = run.position.step;
  if (last < range->first || last > range->last || run.first_step >= range->first) return;
  const std::string name = trace::file_name(range->first, last, run.rt.grid.world->rank());
  try {
    trace::stop_and_write((run.directory / "trace" / name).string());
  } catch (const IoError& error) {  // the run continues without it
    log::warn("no trace: {}", error.what());
  }
  *range = {};
}

}  // namespace lynceus::train
