// Set-up agreed over the world, then step after step; rank 0 writes what is told. Used by
// `lynceus train`.
#include "train/trainer.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/log.h"
#include "core/progress.h"
#include "core/trace.h"
#include "io/file.h"
#include "io/lease.h"
#include "kernels/gemm.h"
#include "parallel/dry_run.h"
#include "train/balance.h"
#include "train/lr_schedule.h"
#include "train/metrics.h"
#include "train/sample_lines.h"
#include "train/signals.h"
#include "train/validation.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

constexpr int kSaveFailuresInARow = 3;
constexpr int64_t kFewSamples = 200;  // before this many, a share of bad ones says little

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The step of a line of damaged.tsv or samples.tsv.
std::optional<int64_t> step_of_row(const std::string& line) {
  int64_t step = 0;
  const char* end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data(), end, step);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\t') return std::nullopt;
  return step;
}

class Trainer {
 public:
  Trainer(const Runtime& rt, RunConfig* config, ConfigReader* reader)
      : rt_(rt),
        config_(*config),
        run_(config_.options.run),
        stop_(run_),
        metrics_(run_),
        damaged_(run_, "damaged", ".tsv", step_of_row),
        samples_(run_, "samples", ".tsv", step_of_row) {
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
        tell_balance();
        write_trace(position_.step);
        save_now();
        if (speaks()) stop_.clear();
        log::info("stopped on request behind step {}; run again to go on", position_.step);
        return ExitCode::kRequeue;
      }
    }
    progress.finish();
    tell_balance();
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
      if (!speaks()) return;
      metrics_.cut_after(position_.step);
      damaged_.cut_after(position_.step);
      samples_.cut_after(position_.step);
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
    report(*batch, result, lr, seconds_since(begin), progress);
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

  void report(const PreparedStep& batch, const StepResult& result, double lr, double seconds,
              Progress* progress) {
    int64_t rows = 0;
    for (const PackedBatch& micro_batch : batch.batch.micro_batches) rows += micro_batch.tokens();
    rows = rt_.grid.data->all_reduce(rows);
    const int64_t cut = rt_.grid.data->all_reduce(batch.cut_tokens);
    const int64_t patches = result.vision.patch_tokens;
    const int64_t patch_tokens = rt_.grid.world->all_reduce(patches);
    const int64_t most_patches = rt_.grid.world->all_reduce(patches, parallel::ReduceOp::kMax);
    if (position_.step == first_step_ + 1) tell_shares(result);
    const int64_t damaged = rt_.grid.data->all_reduce(batch.damaged_in_replica);
    if (damaged > 0) list_damaged(batch, damaged);
    if (config_.log.samples) list_samples(batch);
    balance_.add(batch.replica_imbalance, most_patches, patch_tokens, rt_.grid.world->size());
    if (!result.updated) log::warn("step {}: no scored token, nothing was updated", position_.step);
    progress->note(fmt::format("loss {:.4f}", result.loss));
    progress->advance();
    if (!speaks()) return;
    const double samples = static_cast<double>(config_.train.global_batch_size);
    Metrics metrics = {{"step", position_.step},
                       {"samples_seen", position_.samples_seen},
                       {"loss", result.loss},
                       {"scored_tokens", result.scored_tokens},
                       {"grad_norm", result.gradient_norm},
                       {"lr", lr},
                       {"step_seconds", seconds},
                       {"samples_per_s", samples / seconds},
                       {"tokens_per_s", static_cast<double>(rows) / seconds},
                       {"patch_tokens", patch_tokens},
                       {"patch_tokens_most", most_patches},
                       {"replica_imbalance", batch.replica_imbalance}};
    if (cut > 0) metrics.push_back({"cut_tokens", cut});
    if (damaged > 0) metrics.push_back({"damaged_samples", damaged});
    metrics_.append(metrics);
    if (config_.log.every > 0 && position_.step % config_.log.every == 0)
      log::info("step {}  loss {:.4f}  norm {:.3f}  lr {:.2e}  {:.1f} samples/s", position_.step,
                result.loss, result.gradient_norm, lr, samples / seconds);
  }

  /// How the first step was spread: patch tokens that each rank encoded, micro-batches it held.
  void tell_shares(const StepResult& result) {
    const auto shares = rt_.grid.world->all_gather(
        fmt::format("{} ({})", result.vision.patch_tokens, result.most_saved));
    log::info("patch tokens encoded (micro-batches held) by rank: {}", fmt::join(shares, ", "));
  }

  void list_samples(const PreparedStep& batch) {
    const std::string lines =
        sample_lines(rt_, position_.step, batch, RunData::pointers(data_.training));
    if (speaks()) samples_.append(lines);
  }

  /// How evenly the steps of this start were spread.
  void tell_balance() const {
    if (rt_.grid.world->size() == 1 || balance_.steps() == 0) return;
    log::info(
        "busiest over mean, of {} steps: replicas {:.3f} by planned work, ranks {:.3f} by "
        "patch tokens",
        balance_.steps(), balance_.replicas(), balance_.ranks());
  }

  /// Damaged media was replaced and is not scored; here it is listed and counted.
  void list_damaged(const PreparedStep& batch, int64_t damaged) {
    std::string mine;
    for (const DamagedSample& sample : batch.damaged)
      mine += fmt::format("{}\t{}\t{}\n", position_.step, sample.index, sample.reason);
    const auto all = rt_.grid.world->all_gather(mine);
    if (speaks()) {
      damaged_.append(fmt::format("{}", fmt::join(all, "")));
      for (const std::string& text : all)
        if (!text.empty()) log::warn("damaged media, replaced and not scored: {}", text);
    }
    position_.damaged_samples += damaged;
    const auto samples = static_cast<double>(position_.samples_seen);
    if (position_.samples_seen >= kFewSamples &&
        static_cast<double>(position_.damaged_samples) / samples > config_.data.max_bad)
      throw parallel::AgreedError(
          ExitCode::kInput,
          fmt::format("{} of {} samples have damaged media, more than data.max_bad = {}: see {}",
                      position_.damaged_samples, position_.samples_seen, config_.data.max_bad,
                      damaged_.path().string()));
  }

  void validate_now() {
    if (data_.validation.empty()) return;
    const auto datasets = RunData::pointers(data_.validation);
    BatchLoader loader(rt_, config_.model, datasets, data_.text(config_, false),
                       batch_limits(config_), transform_config(config_, false),
                       loader_threads(rt_, config_));
    const auto scores = validate(rt_, model_, &loader, datasets, config_.train.validation_samples,
                                 config_.train.global_batch_size);
    if (!speaks()) return;
    for (const auto& [task, score] : scores) {
      metrics_.append({{"step", position_.step},
                       {"validation", task},
                       {"samples", score.samples},
                       {"damaged_samples", score.damaged_samples},
                       {"loss", score.loss()},
                       {"token_accuracy", score.token_accuracy()},
                       {"answer_accuracy", score.answer_accuracy()},
                       {"baseline", score.baseline()}});
      log::info(
          "validation {}: loss {:.4f}, tokens {:.1f} %, answers {:.1f} % (majority {:.1f} %) of {}",
          task, score.loss(), 100 * score.token_accuracy(), 100 * score.answer_accuracy(),
          100 * score.baseline(), score.samples);
    }
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
  MetricsFile metrics_;
  StepLines damaged_, samples_;
  RunData data_;
  std::unique_ptr<io::Lease> lease_;
  LynxModel model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<RunState> state_;
  std::unique_ptr<io::CheckpointStore> store_;
  RunPosition position_;
  int64_t first_step_ = 0;
  int64_t saved_step_ = -1;
  int failures_ = 0;
  BalanceAccount balance_;
  TraceRange trace_;
  std::optional<Runtime> beside_;      // where the encoder runs ahead; empty: it does not
  std::optional<PreparedStep> ahead_;  // behind the step at hand
};

}  // namespace

ExitCode train(const Runtime& rt, RunConfig* config, ConfigReader* reader) {
  return Trainer(rt, config, reader).run();
}

}  // namespace lynceus
