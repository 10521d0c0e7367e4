// Opens the files of a run, builds its model and resumes from its checkpoints.
#include "train/run/training_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/check.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/process/stop_request.h"
#include "io/files/file.h"
#include "parallel/agreement.h"
#include "train/data/text_choice.h"
#include "train/incarnation/node_ledger.h"
#include "train/run/build_model.h"
#include "train/run/checkpoint_choice.h"
#include "train/run/rank_agreement.h"
#include "train/run/signals.h"
#include "train/run/start_lines.h"

namespace lynceus::train {
namespace {

int64_t total_samples(const RunData& data) {
  int64_t total = 0;
  for (const io::Dataset& dataset : data.training) total += dataset.size();
  return total;
}

}  // namespace

TrainingRun::TrainingRun(const Runtime& runtime, RunConfig* run_config, ConfigReader* config_reader,
                         RunWatch* watch, std::optional<JobEnd> job_end,
                         const MakeSampleAnswers& make_sample_answers)
    : rt(runtime),
      config(*run_config),
      directory(config.options.run),
      report(rt, config, directory),
      nodes(nodes_by_rank(*rt.grid.world)),
      job_end_(std::move(job_end)) {
  try {
    load(config_reader, watch, make_sample_answers);
  } catch (const std::exception& error) {
    if (incarnation) incarnation->failed_to_load(exit_code_of(error), error.what());
    throw;
  }
}

void TrainingRun::load(ConfigReader* config_reader, RunWatch* watch,
                       const MakeSampleAnswers& make_sample_answers) {
  take_back_followed_options(*rt.grid.world, &config.options);
  const auto recorded = selected_manifest(*rt.grid.world, config.options);
  parallel::agree(*rt.grid.world,
                  [&] { open_files(config_reader, recorded ? &*recorded : nullptr); });
  RunIdentity identity = agreed_identity(*config_reader);
  log::info("tokenizer {} (from {}), prompt template {} (from {})", config.data.tokenizer,
            config_reader->origin("data.tokenizer"), data.style.name,
            config_reader->origin("data.prompt"));
  log::info("{}", data.describe());
  if (!config.train.sample_prompts.empty()) {
    LYNCEUS_CHECK(make_sample_answers, "nobody answers train.sample_prompts");
    sample_answers = make_sample_answers(rt, config, data);
  }
  leave_together();
  if (is_first_rank()) watch->remove_leftovers();
  watch->enter(Section::kLoad, 0);
  model = build_model(rt, config, identity.tokenizer, &identity.origins);
  optimizer = std::make_unique<Optimizer>(rt, &model, config.optimizer);
  state = std::make_unique<RunState>(rt, &model, optimizer.get(), std::move(identity));
  store = std::make_unique<io::CheckpointStore>(
      *rt.grid.saving,
      io::CheckpointOptions{.run_directory = directory,
                            .keep_last = static_cast<int>(config.checkpoint.keep_last),
                            .keep_every = config.checkpoint.keep_every,
                            .lease = lease.get()});
  leave_together();
  resume_or_initialize();
  model.pack(rt);
  leave_together();
  // Only now: a run that is refused must leave the config.ini of the earlier one.
  parallel::agree(*rt.grid.world, [&] {
    if (is_first_rank())
      io::atomic_write_text(directory / "config.ini", config_reader->print(kOptionsOfOneStart));
  });
}

void TrainingRun::leave_together() const {
  parallel::agree(*rt.grid.world, [] { leave_if_requested("loading"); });
}

void TrainingRun::open_files(ConfigReader* reader, const io::Manifest* recorded) {
  choose_text(&config.data, reader, config.model.llm.weights, config.delta.weights_delta, recorded);
  const auto& allowed = config.options.allow_change;
  data = open_data(config.data, {.num_frames = config.model.vision.num_frames,
                                 .seed = config.train.seed,
                                 .recorded = recorded,
                                 .template_may_change = std::find(allowed.begin(), allowed.end(),
                                                                  "data.prompt") != allowed.end()});
  resolve_config(&config, reader, *data.tokenizer, rt);
  make_mixture();  // reports faults of the datasets before any work
  take_lease();
  if (is_first_rank() && fault::is_armed())
    log::file_warn("this start fails on purpose (--fault or LYNCEUS_FAULT): " +
                   fault::describe_armed());
}

RunIdentity TrainingRun::agreed_identity(const ConfigReader& reader) const {
  RunIdentity identity;
  identity.config = reader.values();
  identity.seed = config.train.seed;
  identity.tokenizer = data.tokenizer->describe();
  identity.prompt_template = describe_template(data.style);
  identity.datasets = data.fingerprints();
  check_same_everywhere(rt, identity);
  std::erase_if(identity.config, [](const ConfigValue& value) {
    return std::count(kOptionsOfOneStart.begin(), kOptionsOfOneStart.end(), value.key) > 0;
  });
  return identity;
}

void TrainingRun::take_lease() {
  if (!is_first_rank()) return;
  io::LeaseOptions options;
  options.take_over = config.options.take_over;
  options.waiting = [](const io::LeaseOwner& owner, std::chrono::milliseconds remaining) {
    leave_if_requested("waiting for the lease of the run");
    log::info("{} holds the lease of the run; taking it over in {} s unless it is renewed",
              owner.describe(), remaining.count() / 1000);
  };
  IncarnationStart start;
  try {
    start.former_owner = io::read_lease(directory);
  } catch (const InputError&) {  // the next line says so
  }
  lease = io::acquire_run_lease(directory, options);
  log::add_file((directory / "log" / "train.log").string());
  std::error_code ignored;
  std::filesystem::remove(directory / kStoppedName, ignored);
  start.run_directory = directory;
  start.owner = lease->owner();
  start.nodes = nodes;
  start.steps = config.train.steps;
  start.resume = config.options.resume;
  start.restart_anyway = config.options.restart_anyway;
  start.job_end = job_end_;
  incarnation = std::make_unique<IncarnationLog>(start);
}

void TrainingRun::resume_or_initialize() {
  if (const auto resumed = state->resume(config.options)) {
    position = *resumed;
    has_checkpoint = true;
    first_step = position.step;
    log::info("resumed from step {}, {} samples seen", position.step, position.samples_seen);
  } else if (!config.options.init.empty()) {
    state->initialize_from(config.options);
  }
  log_random_modules(model, state->origins());
  const TraceRange trace = config.log.trace_range();
  if (trace.last >= trace.first && first_step >= trace.first)
    log::info("log.trace: step {} is already done: no trace is written", trace.first);
  store->set_aside_newer(has_checkpoint ? position.step : -1);  // rollback saves a step 0
  parallel::agree(*rt.grid.world, [&] {
    if (is_first_rank()) report.cut_after(position.step);
  });
  report.set_epoch(total_samples(data));
  log::info("{}: {} on {} samples", directory.string(), rt.grid.shape.to_string(),
            total_samples(data));
  log::info("{}", describe_parameters(rt, &model));
}

bool TrainingRun::validation_is_due() const {
  const int64_t every = config.train.validate_every;
  return !data.validation.empty() && position.step > 0 &&
         ((every > 0 && position.step % every == 0) || position.step == config.train.steps);
}

bool TrainingRun::validation_is_missing() const {
  if (!validation_is_due()) return false;
  const bool is_there = is_first_rank() && report.has_validation(position.step);
  return rt.grid.world->broadcast(is_there ? "there" : "", 0).empty();
}

Mixture TrainingRun::make_mixture() const {
  std::vector<MixtureDataset> datasets;
  for (size_t i = 0; i < data.training.size(); ++i)
    datasets.push_back({data.training[i].name(), data.weights[i], data.training[i].size()});
  Mixture mixture(std::move(datasets), config.train.seed);
  mixture.seek(LeftOutSamples(position.left_out).index_of(position.samples_seen));
  return mixture;
}

BatchLoader TrainingRun::make_loader(bool is_training) const {
  return {
      rt,
      config.model,
      RunData::pointers(is_training ? data.training : data.validation),
      data.text(is_training),
      batch_limits(config.train),
      transform_config(config.data, config.model.vision.image_size, config.train.seed, is_training),
      loader_threads(rt, config.data)};
}

NonfiniteAction TrainingRun::answer_nonfinite(PreparedStep* prepared, const StepResult& result,
                                              const StepOptions& options, RunWatch* watch) {
  const TrainConfig& train = config.train;
  const int64_t step = position.step + 1;
  const NonfiniteOrigin origin = find_origin(rt, model, optimizer.get(), prepared, result, options,
                                             RunData::pointers(data.training));
  const NonfiniteAction action = action_after(train, position.left_out, step);
  if (is_first_rank()) {
    for (const std::string& line : origin_lines(step, origin)) log::warn("{}", line);
    if (action != NonfiniteAction::kStop)
      log::warn("{}", action_line(train, position.left_out, step, result));
  }
  if (action != NonfiniteAction::kStop) {
    const auto [first, end] = samples_of_step(LeftOutSamples(position.left_out),
                                              position.samples_seen, train.global_batch_size);
    position.left_out.push_back({step, action == NonfiniteAction::kRollBack, first, end});
  }
  if (action == NonfiniteAction::kRollBack) {
    watch->enter(Section::kLoad, position.step);
    roll_back();
    watch->went_back();
  }
  // After a rollback has moved the lines of later steps away.
  report.write_nonfinite(
      {step, action == NonfiniteAction::kStop ? "stop" : train.nonfinite, result, origin});
  return action;
}

void TrainingRun::roll_back() {
  std::vector<io::LeftOutStep> left_out = std::move(position.left_out);
  const int64_t from = position.step;
  position = state->roll_back(config.options);
  position.left_out = left_out_after_rollback(std::move(left_out), position.step);
  store->set_aside_newer(position.step);  // damaged ones
  store->set_left_out(position.step, position.left_out);
  parallel::agree(*rt.grid.world, [&] {
    if (is_first_rank()) report.cut_after(position.step);
  });
  const io::LeftOutStep& bad = position.left_out.back();
  if (is_first_rank())
    log::warn(
        "went back from step {} to the checkpoint of step {}; the samples {} to {} are left out "
        "from now on",
        from, position.step, bad.first_sample, bad.end_sample - 1);
}

}  // namespace lynceus::train
