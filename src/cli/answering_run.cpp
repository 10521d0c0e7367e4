#include "cli/answering_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "io/checkpoint/checkpoint.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "parallel/agreement.h"
#include "train/data/text_choice.h"
#include "train/run/build_model.h"
#include "train/run/checkpoint_choice.h"
#include "train/run/init_file.h"
#include "train/run/run_state.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

/// Of the modules that are frozen as a rule: the digest of their values, or where they come from.
std::string weights_of(const train::WeightOrigins& origins) {
  std::string text;
  for (const char* module : {"llm", "vision"}) {
    const auto found = origins.find(module);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", module,
                        found == origins.end() ? "in the checkpoint"
                                               : train::readable_identity(found->second.identity));
  }
  return text;
}

std::string digest_of(const io::Manifest& manifest) {
  const std::string text = io::to_text(manifest);
  return io::digest128(text.data(), text.size()).hex();
}

/// The digest of a file of weights, computed on rank 0.
std::string digest_of_file(parallel::Communicator& world, const std::string& file) {
  std::string digest;
  parallel::agree(world, [&] {
    if (world.rank() == 0) digest = io::digest_file(file).hex();
  });
  return world.broadcast(digest, 0);
}

}  // namespace

CheckpointChoice choose_checkpoint(const std::string& checkpoint) {
  const fs::path path = fs::path(checkpoint).lexically_normal();
  const fs::path named = path.has_filename() ? path : path.parent_path();
  if (fs::is_regular_file(named)) return {"", "never", checkpoint};
  if (fs::is_regular_file(named / "config.ini")) return {named.string(), "auto", ""};
  const auto step = io::step_in(named.filename().string(), io::kStepPrefix);
  const fs::path above = named.parent_path().parent_path();
  const fs::path run = above.empty() ? fs::path(".") : above;
  if (step && fs::is_regular_file(run / "config.ini"))
    return {run.string(), fmt::format("{}", *step), ""};
  throw InputError(
      "{}: expected a run directory, one of its checkpoints (RUN/checkpoints/step-N) or a file of "
      "weights",
      checkpoint);
}

AnsweringRun open_answering_run(const Runtime& rt, train::RunConfig* config, ConfigReader* reader,
                                const CheckpointChoice& choice, bool with_data) {
  parallel::Communicator& world = *rt.grid.world;
  AnsweringRun run;
  std::optional<io::Manifest> recorded;
  if (choice.weights_file.empty()) recorded = train::selected_manifest(world, config->options);
  parallel::agree(world, [&] {
    const io::Manifest* manifest = recorded ? &*recorded : nullptr;
    train::choose_text(&config->data, reader, config->model.llm.weights,
                       config->delta.weights_delta, manifest);
    if (!with_data) config->data.validation.clear();
    const auto& allowed = config->options.allow_change;
    const bool may_change =
        std::find(allowed.begin(), allowed.end(), "data.prompt") != allowed.end();
    run.data = train::open_data(config->data, {.num_frames = config->model.vision.num_frames,
                                               .seed = config->train.seed,
                                               .with_training = false,
                                               .recorded = manifest,
                                               .template_may_change = may_change});
    train::resolve_config(config, reader, *run.data.tokenizer, rt);
  });
  const std::string tokenizer = run.data.tokenizer->describe();
  train::WeightOrigins origins;
  run.model = train::build_model(rt, *config, tokenizer, &origins);
  if (choice.weights_file.empty()) {
    run.step = train::load_trained(rt, &run.model, config->options, tokenizer, &origins);
    run.checkpoint = recorded ? fmt::format("step {}, {}", run.step, digest_of(*recorded))
                              : fmt::format("step {}", run.step);
  } else {
    train::initialize_from_file(rt, &run.model, choice.weights_file, config->options.init_frozen,
                                &origins);
    run.checkpoint = digest_of_file(world, choice.weights_file);
  }
  run.weights = weights_of(origins);
  run.config = *config;
  run.model.freeze(rt);
  return run;
}

}  // namespace lynceus::cli
