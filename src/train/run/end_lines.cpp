#include "train/run/end_lines.h"

#include "core/log.h"
#include "core/text/units.h"

namespace lynceus::train {

void log_end(const TrainingRun& run, double seconds) {
  const RunPosition& done = run.position;
  const std::string directory = run.directory.string();
  const bool is_complete = done.step == run.config.train.steps;
  log::info("{} after step {} of {}: {}; {} in {} since this start",
            is_complete ? "finished" : "stopped", done.step, run.config.train.steps,
            counted(done.samples_seen, "sample"), counted(done.step - run.first_step, "step"),
            seconds_text(seconds));
  if (!is_complete)
    log::info("to continue, run the same command without --stop-after {}", done.step);
  else if (!run.data.validation.empty())
    log::info("next: lynceus evaluate --run {}", directory);
  else
    log::info("next: lynceus export --checkpoint {} --output DIR", directory);
}

}  // namespace lynceus::train
