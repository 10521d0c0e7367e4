#include "cli/command.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "core/log.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "train/data/run_data.h"
#include "train/run/build_model.h"
#include "train/run/metrics.h"
#include "train/run/run_state.h"
#include "train/run/validation.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp = R"(usage: lynceus evaluate --run DIR [--section.key VALUE]...

Scores the newest intact checkpoint of a run (or that of --resume STEP) on its data.validation sets,
or on those given here. Prints one JSON line per task: loss, accuracy of scored tokens, accuracy of
complete answers under greedy decoding, and as baseline the share of the most frequent answer. The
config.ini of the run is read first, so only values that differ from it need to be given.

  lynceus evaluate --run runs/stage2
  lynceus evaluate --ranks 4 --run runs/stage2 --data.validation 'vqa:data/validation-*.h5'

)";

/// Reads the config.ini of the run, then the command line. Grid and options are those of this job.
CommandLine read_config(const Arguments& arguments, ConfigReader* reader, train::RunConfig* config,
                        DeviceConfig* device) {
  // The run directory must be known before its config.ini can be read.
  train::RunConfig given;
  DeviceConfig ignored;
  ConfigReader first;
  first.add(ignored);
  first.add(given);
  CommandLine line = first.read(arguments);
  if (line.help) return line;
  if (!line.positionals.empty())
    throw UsageError("evaluate: expected options only, found '{}'", line.positionals.front());
  Arguments layered = {"--config", given.options.run + "/config.ini"};
  layered.insert(layered.end(), arguments.begin(), arguments.end());
  reader->read(layered);
  reader->check_keys("allow-change", given.options.allow_change);
  config->parallel = given.parallel;
  config->options = given.options;
  device->validate();
  config->validate();
  return line;
}

void print_scores(const std::map<std::string, train::TaskScore>& scores, int64_t step) {
  for (const auto& [task, score] : scores)
    fmt::print("{}\n", train::to_json({{"class", task},
                                       {"accuracy", score.answer_accuracy()},
                                       {"baseline", score.baseline()},
                                       {"count", score.samples},
                                       {"damaged_samples", score.damaged_samples},
                                       {"token_accuracy", score.token_accuracy()},
                                       {"loss", score.loss()},
                                       {"step", step}}));
}

}  // namespace

ExitCode run_evaluate(const Arguments& arguments) {
  train::RunConfig config;
  DeviceConfig device;
  ConfigReader reader;
  reader.add(device);
  reader.add(config);
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] { line = read_config(arguments, &reader, &config, &device); });
  const bool prints = world->rank() == 0;
  if (print_page(line, kHelp, reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), "warn");
  const Runtime rt = make_runtime(config.parallel, device);
  train::RunData data;
  parallel::agree(*rt.grid.world, [&] {
    data = train::open_data(config.data, config.model.vision.num_frames, config.train.seed,
                            /*with_training=*/false);
    if (data.validation.empty())
      throw UsageError("data.validation: expected at least one set, found none");
    train::resolve_config(&config, &reader, *data.tokenizer, rt);
  });
  const std::string tokenizer = data.tokenizer->describe();
  train::WeightOrigins origins;
  model::LynxModel model = train::build_model(rt, config, tokenizer, &origins);
  const int64_t step = train::load_trained(rt, &model, config.options, tokenizer, &origins);
  model.pack(rt);
  const auto datasets = train::RunData::pointers(data.validation);
  train::BatchLoader loader(
      rt, config.model, datasets, data.text(/*is_training=*/false),
      train::batch_limits(config.train),
      train::transform_config(config.data, config.model.vision.image_size, config.train.seed,
                              /*is_training=*/false),
      train::loader_threads(rt, config.data));
  const auto scores = train::validate(rt, model, &loader, datasets, config.train.validation_samples,
                                      config.train.global_batch_size);
  if (prints) print_scores(scores, step);
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
