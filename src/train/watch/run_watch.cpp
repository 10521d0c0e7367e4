#include "train/watch/run_watch.h"

#include <fmt/format.h>

#include "core/fault.h"
#include "core/trace.h"
#include "parallel/agreement.h"
#include "train/watch/replica_digest.h"

namespace lynceus::train {
namespace {

/// One for each section, so that tests can let a rank hang or be slow there.
void fault_point(Section section) {
  switch (section) {
    case Section::kInit:
      return;
    case Section::kLoad:
      LYNCEUS_FAULT_POINT("watch.load");
      return;
    case Section::kData:
      LYNCEUS_FAULT_POINT("watch.data");
      return;
    case Section::kStep:
      LYNCEUS_FAULT_POINT("watch.step");
      return;
    case Section::kEvaluate:
      LYNCEUS_FAULT_POINT("watch.evaluate");
      return;
    case Section::kCheckpoint:
      LYNCEUS_FAULT_POINT("watch.checkpoint");
      return;
  }
}

}  // namespace

RunWatch::RunWatch(const Runtime& rt, const WatchConfig& config, int64_t digest_every,
                   const std::filesystem::path& run_directory)
    : rt_(rt),
      digest_every_(digest_every),
      clock_(rt.grid, config),
      watchdog_(rt.grid, &clock_, run_directory),
      stragglers_(rt.grid, config.slow_factor, watchdog_.places()) {}

void RunWatch::enter(Section section, int64_t step) {
  clock_.enter(section, step);
  fault_point(section);
  if (section == Section::kStep && LYNCEUS_FAULT_ASKED("watch.another_call"))
    rt_.grid.world->barrier();
}

void RunWatch::step_done(int64_t step) { stragglers_.add_step(step, clock_.take_times()); }

void RunWatch::compare_replicas(std::span<const TrainedParameter> parameters, int64_t step,
                                bool will_be_saved, const std::function<int64_t()>& saved_step) {
  if (LYNCEUS_FAULT_ASKED("watch.flip_bit")) flip_one_bit(rt_, parameters);
  if (digest_every_ == 0 || compared_step_ == step) return;
  if (!will_be_saved && step % digest_every_ != 0) return;
  LYNCEUS_TRACE("compare replicas");
  compared_step_ = step;
  const std::string found = differing_replicas(rt_, parameters, watchdog_.places());
  if (found.empty()) return;
  const int64_t saved = saved_step();
  throw parallel::AgreedError(
      ExitCode::kNumeric,
      fmt::format(
          "step {}: trained parameters differ between ranks that must hold the same bits: {}; the "
          "memory, the processor, the device or the network of a rank is at fault. This state is "
          "not saved: run the same command again to continue from {}, without the node if it "
          "happens again",
          step, found,
          saved > 0 ? fmt::format("the checkpoint of step {}", saved) : "the beginning"));
}

}  // namespace lynceus::train
