#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>

#include "cli/answering/evaluate_run.h"
#include "cli/command.h"
#include "cli/evaluate_answers.h"
#include "cli/evaluate_output.h"
#include "cli/page.h"
#include "cli/runtime.h"
#include "core/log.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "train/data/run_data.h"
#include "train/data/text_choice.h"
#include "train/metrics/validation.h"
#include "train/run/build_model.h"
#include "train/run/checkpoint_choice.h"
#include "train/run/run_state.h"

namespace lynceus::cli {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus evaluate [heldout] --run DIR [--section.key VALUE]...
       lynceus evaluate BENCHMARK --run DIR --input PATH --output FILE   answers and scores a benchmark
       lynceus evaluate BENCHMARK --answers PATH   scores answers that exist

`lynceus evaluate mme --run runs/stage2 --help` and `lynceus evaluate mme --help` describe the two last forms.

Scores the newest intact checkpoint of a run (or that of --resume STEP) on its data.validation sets,
or on those given here. For each set and class: loss, accuracy of scored tokens, accuracy of complete
answers under greedy decoding, and as baseline the share of the most frequent answer. The config.ini
of the run is read first, so only values that differ from it need to be given. The scores are a table
on a terminal, and otherwise one JSON object a line. The answers are in RUN/predictions.jsonl.

  lynceus evaluate --run runs/stage2
  lynceus evaluate --run runs/stage2 --resume 500 --format json --predictions answers.jsonl
  lynceus evaluate --ranks 4 --run runs/stage2 --data.validation 'vqa:data/validation-*.h5'

)";

std::string config_file(const train::RunOptions& options) { return options.run + "/config.ini"; }

/// Reads the config.ini of the run, then the command line. Grid and options are those of this job.
CommandLine read_config(const Arguments& arguments, ConfigReader* reader, train::RunConfig* config,
                        DeviceConfig* device) {
  // The run directory must be known before its config.ini can be read.
  train::RunConfig given;
  DeviceConfig ignored;
  EvaluateOptions also_ignored;
  ConfigReader first;
  first.add(ignored);
  first.add(also_ignored);
  first.add(given);
  CommandLine line = first.read(arguments);
  if (line.help) return line;
  if (!line.positionals.empty())
    throw UsageError("evaluate: unexpected argument '{}'; options begin with --",
                     line.positionals.front());
  Arguments layered = {"--config", config_file(given.options)};
  layered.insert(layered.end(), arguments.begin(), arguments.end());
  // Grid and options are those of this job, so the config of the run does not decide their ranges.
  reader->read(layered, [&](ConfigFaults* faults) {
    config->parallel = given.parallel;
    config->options = given.options;
    device->check(faults);
    config->check(faults);
  });
  reader->check_keys("allow-change", given.options.allow_change);
  return line;
}

/// A warning if the run was trained with another template than the one that asks now.
void compare_template(const io::Manifest& recorded, const io::PromptStyle& style,
                      const train::DataConfig& config) {
  const std::string trained = train::recorded_template(recorded);
  if (trained.empty() || trained.starts_with(style.fingerprint())) return;
  log::warn(
      "data.prompt = {}: the run was trained with another prompt template; expected {}, found {}",
      config.prompt, trained, train::describe_template(style));
}

/// A warning if the template that was asked for is not the one that is used.
void explain_template(const io::PromptStyle& style, const train::DataConfig& config) {
  const io::PromptStyle asked = train::load_template(config, nullptr, /*may_change=*/false);
  if (asked.fingerprint() == style.fingerprint()) return;
  log::warn(
      "data.prompt = {} means {} in this run, which began when that was the template {}: the "
      "scores are those of {} (--allow-change data.prompt scores with the present {})",
      config.prompt, style.name, asked.name, style.name, asked.name);
}

train::RunData open_sets(const Runtime& rt, train::RunConfig* config, ConfigReader* reader) {
  const auto recorded = train::selected_manifest(*rt.grid.world, config->options);
  const auto& allowed = config->options.allow_change;
  const bool may_change_template =
      std::find(allowed.begin(), allowed.end(), "data.prompt") != allowed.end();
  train::RunData data;
  parallel::agree(*rt.grid.world, [&] {
    const io::Manifest* manifest = recorded ? &*recorded : nullptr;
    train::choose_text(&config->data, reader, config->model.llm.weights,
                       config->delta.weights_delta, manifest);
    data = train::open_data(config->data, {.num_frames = config->model.vision.num_frames,
                                           .seed = config->train.seed,
                                           .with_training = false,
                                           .recorded = manifest,
                                           .template_may_change = may_change_template});
    if (data.validation.empty())
      throw UsageError("data.validation: expected at least one set, found none");
    train::resolve_config(config, reader, *data.tokenizer, rt);
    if (!reader->origin("data.prompt").starts_with(config_file(config->options)))
      explain_template(data.style, config->data);
  });
  if (recorded) compare_template(*recorded, data.style, config->data);
  return data;
}

/// Runs `step` on rank 0 and agrees on its failure. Nobody asked for the file of `auto`: there a
/// failure, such as the run directory of another user, is a warning.
void write_predictions(const Runtime& rt, const EvaluateOptions& options,
                       const std::function<void()>& step) {
  parallel::agree(*rt.grid.world, [&] {
    if (rt.grid.world->rank() != 0 || options.predictions == "none") return;
    try {
      step();
    } catch (const IoError& error) {
      if (options.predictions != "auto") throw;
      log::warn("no predictions are written (--predictions FILE names another file): {}",
                error.what());
    }
  });
}

/// The values of the LLM: the path that the config names, else where they come from.
std::string weights_of(const train::RunConfig& config, const train::WeightOrigins& origins) {
  if (!config.model.llm.weights.empty()) return config.model.llm.weights;
  const auto found = origins.find("llm");
  if (found == origins.end()) return "";
  return found->second.checkpoint.empty() ? found->second.identity : found->second.checkpoint;
}

}  // namespace

ExitCode run_evaluate(const Arguments& arguments) {
  if (evaluates_run(arguments)) return run_evaluate_run(arguments);
  if (scores_answers(arguments)) return run_evaluate_answers(arguments);
  if (!arguments.empty() && arguments[0] == "heldout")
    return run_evaluate({arguments.begin() + 1, arguments.end()});
  train::RunConfig config;
  DeviceConfig device;
  EvaluateOptions options;
  ConfigReader reader;
  reader.add(device);
  reader.add(options);
  reader.add(config);
  const auto world = parallel::make_world();
  CommandLine line;
  parallel::agree(*world, [&] { line = read_config(arguments, &reader, &config, &device); });
  if (print_page(line, kHelp, reader, *world)) return ExitCode::kDone;
  log::set_up(world->rank(), world->size(), "warn");
  const Runtime rt = make_runtime(config.parallel, device);
  const train::RunData data = open_sets(rt, &config, &reader);
  const std::string tokenizer = data.tokenizer->describe();
  train::WeightOrigins origins;
  model::LynxModel model = train::build_model(rt, config, tokenizer, &origins);
  Scored scored{config.options.run, 0, "", data.style.name};
  scored.step = train::load_trained(rt, &model, config.options, tokenizer, &origins);
  scored.weights = weights_of(config, origins);
  model.pack(rt);
  const auto datasets = train::RunData::pointers(data.validation);
  train::BatchLoader loader(
      rt, config.model, datasets, data.text(/*is_training=*/false),
      train::batch_limits(config.train),
      train::transform_config(config.data, config.model.vision.image_size, config.train.seed,
                              /*is_training=*/false),
      train::loader_threads(rt, config.data));
  std::unique_ptr<PredictionFile> file;
  write_predictions(rt, options, [&] {
    file = std::make_unique<PredictionFile>(options.predictions == "auto"
                                                ? config.options.run + "/predictions.jsonl"
                                                : options.predictions);
  });
  train::ValidationOptions validation{
      config.train.validation_samples,
      train::validation_batch_size(rt, config.train.global_batch_size)};
  if (options.predictions != "none")
    validation.predictions = [&](const train::Prediction& prediction) {
      if (file) file->add(prediction);
    };
  const auto scores = train::validate(rt, model, &loader, datasets, validation);
  if (world->rank() == 0) {
    fmt::print("{}", shows_table(options.format) ? scores_as_table(scored, scores)
                                                 : scores_as_json(scored, scores));
    std::fflush(stdout);  // before anything that may fail
  }
  write_predictions(rt, options, [&] {
    if (file) file->close();
  });
  return ExitCode::kDone;
}

}  // namespace lynceus::cli
