#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/answering/videos.h"
#include "cli/command.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "cli/train_options.h"
#include "core/log.h"
#include "generate/rows/prompt_answers.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "train/run/trainer.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus train [--config FILE.ini]... [--section.key VALUE]...

Trains a model on all ranks that --ranks N, mpirun or srun started. --ranks N starts N ranks on this
machine. A later config file overrides an earlier one, and the command line overrides all files. If
the run directory (--run) has checkpoints, the run resumes from the newest intact one. Checkpoints are
saved every 30 minutes (--checkpoint.every_minutes), after every N steps with --checkpoint.every N, and
at the end. They are written while training goes on, from a snapshot in memory, if there is some
(--checkpoint.staging_mib). Before the first step a trial save shows whether the run directory can hold
them.

  lynceus train --config tiny --run runs/try --data.tokenizer t.model \
      --data.source captions:1:data/train-captions.h5 --train.steps 100
  lynceus train --ranks 4 --config tiny --parallel.tensor 2 --parallel.pipeline 2 ...
  lynceus train --config lynx-7b --config pretrain-224 --print-config

A run writes a checkpoint and stops with exit code 75 when a rank receives SIGUSR1, SIGTERM, SIGINT or
SIGHUP, or when a file STOP appears in the run directory. Start the same command again to continue. With
--ranks N a Ctrl-C or a signal to this command is enough; mpirun kills its ranks after two seconds.
It stops in the same way before the end of the job: --train.max_hours, or LYNCEUS_JOB_END or
SLURM_JOB_END_TIME in seconds since 1970. After three starts in a row without a newer checkpoint the
next one is refused with exit code 93; --restart-anyway forces it.

A rank that makes no progress for longer than the limits in [watchdog] is named, and the job ends with
exit code 124. Start the same command again to continue.

`lynceus train --fault help` lists places where a run can be made to fail on purpose, to test what survives.

)";

/// What suits GPUs where the user has not decided; it is in config.ini with this origin.
void settle_defaults(const Runtime& rt, const DeviceConfig& device, ConfigReader* reader) {
  const bool on_gpus = !rt.stream.device().is_cpu();
  const std::string origin = on_gpus ? "default on GPUs" : "default on CPUs";
  std::vector<std::string> chosen;
  const auto set = [&](const std::string& key, const std::string& value) {
    reader->set(key, value, origin);
    chosen.push_back(fmt::format("{} {}", key, value));
  };
  if (device.precision == "auto") set("precision", name_of(rt.precision));
  if (!on_gpus) return;
  for (const auto& [key, value] :
       {std::pair{"train.micro_batch_tokens", "4096"}, std::pair{"vision.images_per_pass", "32"}})
    if (reader->origin(key) == "default") set(key, value);
  if (!chosen.empty()) log::info("defaults on GPUs: {}", fmt::join(chosen, ", "));
}

}  // namespace

ExitCode run_train(const Arguments& arguments) {
  TrainOptions options;
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] { line = options.read(arguments); });
  if (print_page(line, kHelp, options.reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), options.config.log.level);
  const Runtime rt = make_runtime(options.config.parallel, options.device);
  log::info("computing on {}", describe(rt));
  log_cores(*world);
  settle_defaults(rt, options.device, &options.reader);
  const auto make_sample_answers = [](const Runtime& of, const train::RunConfig& config,
                                      const train::RunData& data) {
    return std::make_unique<generate::PromptAnswers>(of, config, data,
                                                     video_frames(config.model.vision.num_frames));
  };
  return train::train(rt, &options.config, &options.reader, make_sample_answers);
}

}  // namespace lynceus::cli
