// lynceus train: the run.
#include "cli/command.h"
#include "core/log.h"
#include "parallel/mpi_session.h"
#include "train/run/trainer.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus train [--config FILE.ini]... [--section.key VALUE]...

Trains on all ranks that mpirun or srun started. Config files layer, later ones win, the command line
last. A run directory that holds checkpoints is resumed by itself.

  lynceus train --config configs/model/tiny.ini --run runs/try --data.tokenizer t.model \
      --data.source captions:1:data/train-captions.h5 --train.steps 100
  mpirun -n 4 lynceus train --config configs/model/tiny.ini --parallel.tensor 2 --parallel.pipeline 2 ...
  lynceus train --config configs/model/lynx-vicuna-7b.ini --print-config

Stops with a checkpoint and exit code 75 on SIGUSR1, SIGTERM, SIGINT to a rank or a file STOP in the
run directory; starting it again goes on.

)";

}  // namespace

ExitCode run_train(const Arguments& arguments) {
  train::RunConfig config;
  DeviceConfig device;
  ConfigReader reader;
  reader.add(device);
  reader.add(config);
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] {
    line = reader.read(arguments);
    reader.check_keys("allow-change", config.options.allow_change);
    device.validate();
    if (!line.help && !line.positionals.empty())
      throw UsageError("train: expected options only, found '{}'", line.positionals.front());
    if (!line.help) config.validate();
  });
  if (print_page(line, kHelp, reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), config.log.level);
  const Runtime rt = make_runtime(config.parallel, device);
  log::info("computing on {}", describe(rt));
  return train::train(rt, &config, &reader);
}

}  // namespace lynceus::cli
