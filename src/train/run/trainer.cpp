// Set-up agreed over the world, then step after step; rank 0 writes what is told. Used by
// `lynceus train`.
#include "train/run/trainer.h"

#include <algorithm>
#include <chrono>

#include "core/log.h"
#include "core/progress.h"
#include "core/trace.h"
#include "io/checkpoint/lease.h"
#include "io/checkpoint/writer.h"
#include "io/files/file.h"
#include "kernels/gemm.h"
#include "parallel/dry_run.h"
#include "train/run/run_report.h"
#include "train/run/signals.h"
#include "train/run/validation.h"
#include "train/step/lr_schedule.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr int kSaveFailuresInARow = 3;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Trainer {
 public:
  Trainer(const Runtime& rt, RunConfig* config, ConfigReader* reader)
      : rt_(rt),
        config_(*config),
        run_(config_.options.run),
        stop_(run_),
        report_(rt, config_, run_) {
    set_up(reader);
  }

  ExitCode run() {
    const int64_t last = config_.options.stop_after > 0
                             ? std::min(config_.options.stop_after, config_.train.steps)
                             : config_.train.steps;
    if (position_.step >= last) {
      log::info("step {} is already done: nothing to train", position_.step);
      return ExitCode::kDone;
    }
    BatchLoader loader(rt_, config_.model, RunData::pointers(data_.training),
                       data_.text(config_, true), batch_limits(config_),
                       transform_config(config_, true), loader_threads(rt_, config_));
    if (rt_.overlaps(&parallel::Overlap::vision)) {
      beside_ = rt_.on(Stream(rt_.stream.device(), accelerator::Priority::kLow));
      kernels::search_products(beside_->stream, kernels::searches_products(rt_.stream));
    }
    TrainingData batches(&loader, make_mixture(), config_.train.global_batch_size, beside_ ? 3 : 2);
    Progress progress("train", last, "steps",
                      {.file = speaks() ? stderr : nullptr, .done_before = position_.step});
    while (position_.step < last) {
      const auto begin = std::chrono::steady_clock::now();  // waiting for data is part of a step
      if (position_.step + 1 == trace_.first)
        trace::start(rt_.grid.world->rank(), rt_.stream.pool()->queue());
      PreparedStep batch = coming_batch(&batches, position_.step + 1 == last);
      if (config_.log.schedule && position_.step == first_step_) print_schedule(batch);
      run_step(
          &batch, begin, [&] { batches.begin_next(); }, &progress);
      // Before the checkpoint of the same step, so that a run that goes on from it has both.
      if (is_due(config_.train.validate_every) || position_.step == config_.train.steps)
        validate_now();
      if (position_.step == last) break;
      // Asked behind the save: what comes while it is written costs no further step and no second.
      if (is_due(config_.checkpoint.every)) save();
      const StopReason reason = stop_.agreed(*rt_.grid.world, lease_.get());
      if (reason == StopReason::kLeaseLost) leave_to_successor();
      if (reason == StopReason::kRequested) {
        progress.finish();
        report_.tell_balance();
        write_trace(position_.step);
        save_now();
        if (speaks()) stop_.clear();
        log::info("stopped on request behind step {}; run again to go on", position_.step);
        return ExitCode::kRequeue;
      }
    }
    progress.finish();
    report_.tell_balance();
    write_trace(position_.step);
    save_now();
    return ExitCode::kDone;
  }

 private:
  bool is_due(int64_t every) const { return every > 0 && position_.step % every == 0; }

  bool speaks() const { return rt_.grid.world->rank() == 0; }

  void set_up(ConfigReader* reader) {
    parallel::agree(*rt_.grid.world, [&] {
      trace_ = config_.log.trace_range();
      data_ = open_data(config_, true);
      resolve_config(&config_, reader, *data_.tokenizer, rt_);
      make_mixture();  // complains about sources before any work
      take_lease();
      if (speaks()) log::add_file((run_ / "log" / "train.log").string());
    });
    RunIdentity identity;
    identity.config = reader->values();
    identity.seed = config_.train.seed;
    identity.tokenizer = data_.tokenizer->describe();
    identity.datasets = data_.fingerprints();
    check_same_everywhere(rt_, identity);
    log::info("{}", data_.describe());
    std::erase_if(identity.config, [](const ConfigValue& value) {
      return std::count(kOptionsOfOneStart.begin(), kOptionsOfOneStart.end(), value.key) > 0;
    });

    model_ = build_model(rt_, config_, identity.tokenizer, &identity.origins);
    optimizer_ = std::make_unique<Optimizer>(rt_, &model_, config_.optimizer);
    state_ = std::make_unique<RunState>(rt_, &model_, optimizer_.get(), std::move(identity));
    store_ = std::make_unique<io::CheckpointStore>(
        *rt_.grid.world,
        io::CheckpointOptions{.run_directory = run_,
                              .keep_last = static_cast<int>(config_.checkpoint.keep_last),
                              .keep_every = config_.checkpoint.keep_every,
                              .lease = lease_.get()});
    start_or_resume();
    // Only now: a run that may not go on leaves the config of the one that was.
    parallel::agree(*rt_.grid.world, [&] {
      if (speaks()) io::atomic_write_text(run_ / "config.ini", reader->print(kOptionsOfOneStart));
    });
  }

  void take_lease() {
    if (!speaks()) return;
    io::LeaseOptions options;
    options.take_over = config_.options.take_over;
    options.waiting = [](const io::LeaseOwner& owner, std::chrono::milliseconds remaining) {
      log::info("{} holds the run; taking over in {} s unless it shows life", owner.describe(),
                remaining.count() / 1000);
    };
    lease_ = io::Lease::acquire(run_, options);
  }

  void start_or_resume() {
    if (const auto resumed = state_->resume(config_.options)) {
      position_ = *resumed;
      first_step_ = position_.step;
      log::info("resumed from step {}, {} samples seen", position_.step, position_.samples_seen);
    } else if (!config_.options.init.empty()) {
      state_->initialize_from(config_.options);
      log::info("values start from {}", config_.options.init);
    }
    tell_random(model_, state_->origins());
    if (trace_.last >= trace_.first && first_step_ >= trace_.first)
      log::info("log.trace: step {} is done already: no trace is written", trace_.first);
    store_->set_aside_newer(position_.step);
    parallel::agree(*rt_.grid.world, [&] {
      if (speaks()) report_.cut_after(position_.step);
    });
    log::info("{}: {} on {} samples, {} trained parameters on rank 0", run_.string(),
              rt_.grid.shape.to_string(), total_samples(), trained_elements());
  }

  int64_t total_samples() const {
    int64_t total = 0;
    for (const io::Dataset& dataset : data_.training) total += dataset.size();
    return total;
  }

  int64_t trained_elements() const {
    int64_t total = 0;
    for (const TrainedParameter& trained : optimizer_->parameters())
      total += trained.parameter->value.size();
    return total;
  }

  Mixture make_mixture() const {
    std::vector<MixtureSource> sources;
    for (size_t i = 0; i < data_.training.size(); ++i)
      sources.push_back({data_.training[i].name(), data_.weights[i], data_.training[i].size()});
    Mixture mixture(std::move(sources), config_.train.seed);
    mixture.seek(position_.samples_seen);
    return mixture;
  }

  /// Where the encoder runs ahead, the batch behind this one is taken too, and encoded beside it.
  PreparedStep coming_batch(TrainingData* batches, bool is_last) {
    if (!beside_) return batches->next();
    PreparedStep batch = ahead_ ? std::move(*ahead_) : batches->next();
    ahead_.reset();
    if (is_last) return batch;
    ahead_ = batches->next();
    encode_ahead(rt_, *beside_, model_, &ahead_->batch, ahead_->pixel_source());
    return batch;
  }

  void print_schedule(const PreparedStep& batch) const {
    if (!speaks() || batch.batch.windows.empty()) return;
    const auto kind = parallel::parse_schedule_kind(config_.parallel.schedule);
    const auto schedules = parallel::make_schedules(kind, rt_.grid.pipeline->size(),
                                                    batch.batch.windows.front().micro_batches);
    fmt::print("{}", parallel::describe(parallel::dry_run(schedules)));
    std::fflush(stdout);
  }

  void run_step(PreparedStep* batch, std::chrono::steady_clock::time_point begin,
                const std::function<void()>& meanwhile, Progress* progress) {
    const int64_t number = position_.step + 1;
    const double lr = learning_rate(config_.optimizer, position_.step, config_.train.steps);
    const StepResult result =
        train_step(rt_, model_, optimizer_.get(), &batch->batch, batch->pixel_source(),
                   batch->reach, step_options(config_), lr, meanwhile);
    position_.step = number;
    position_.samples_seen += config_.train.global_batch_size;
    report_.tell_step({*batch, result, lr, seconds_since(begin)}, RunData::pointers(data_.training),
                      &position_, progress);
    if (number == trace_.last) write_trace(number);
  }

  /// Nothing if no trace was begun or it is written already.
  void write_trace(int64_t last) {
    if (last < trace_.first || last > trace_.last || first_step_ >= trace_.first) return;
    const std::string name = trace::file_name(trace_.first, last, rt_.grid.world->rank());
    try {
      trace::stop_and_write((run_ / "trace" / name).string());
    } catch (const IoError& error) {  // costs a picture, not the run
      log::warn("no trace: {}", error.what());
    }
    trace_ = {};
  }

  void validate_now() {
    if (data_.validation.empty()) return;
    const auto datasets = RunData::pointers(data_.validation);
    BatchLoader loader(rt_, config_.model, datasets, data_.text(config_, false),
                       batch_limits(config_), transform_config(config_, false),
                       loader_threads(rt_, config_));
    const auto scores = validate(rt_, model_, &loader, datasets, config_.train.validation_samples,
                                 config_.train.global_batch_size);
    report_.tell_validation(position_.step, scores);
  }

  /// Another process trains here now: whatever this one saved would be refused.
  [[noreturn]] void leave_to_successor() const {
    throw parallel::AgreedError(
        ExitCode::kIo,
        fmt::format("{}: the lease of this run was taken by another process: stopped behind step "
                    "{} without saving",
                    (run_ / io::kLeaseName).string(), position_.step));
  }

  /// A failed save is a warning; the third in a row ends the run.
  bool save() {
    const io::SaveResult result = state_->save(store_.get(), position_);
    if (result.committed) {
      failures_ = 0;
      saved_step_ = position_.step;
      log::info("checkpoint {}: {:.1f} MiB in {:.2f} s", result.path.filename().string(),
                static_cast<double>(result.bytes) / (1 << 20), result.seconds);
      return true;
    }
    log::warn("no checkpoint of step {}: {}", position_.step, result.message);
    if (++failures_ >= kSaveFailuresInARow)
      throw parallel::AgreedError(
          ExitCode::kIo,
          fmt::format("{} saves failed in a row, the last one: {}", failures_, result.message));
    return false;
  }

  /// A save that must succeed.
  void save_now() {
    if (saved_step_ == position_.step || save()) return;
    throw parallel::AgreedError(ExitCode::kIo,
                                fmt::format("step {} could not be saved; the checkpoints before "
                                            "it are whole",
                                            position_.step));
  }

  const Runtime& rt_;
  RunConfig& config_;
  fs::path run_;
  const StopRequests stop_;  // from the start: a request while weights are loaded counts too
  RunReport report_;
  RunData data_;
  std::unique_ptr<io::Lease> lease_;
  model::LynxModel model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<RunState> state_;
  std::unique_ptr<io::CheckpointStore> store_;
  RunPosition position_;
  int64_t first_step_ = 0;
  int64_t saved_step_ = -1;
  int failures_ = 0;
  TraceRange trace_;
  std::optional<Runtime> beside_;      // where the encoder runs ahead; empty: it does not
  std::optional<PreparedStep> ahead_;  // behind the step at hand
};

}  // namespace

ExitCode train(const Runtime& rt, RunConfig* config, ConfigReader* reader) {
  return Trainer(rt, config, reader).run();
}

}  // namespace lynceus::train
