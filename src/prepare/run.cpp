#include "prepare/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/fault.h"
#include "core/progress.h"
#include "core/text/text_encoding.h"
#include "core/text/units.h"
#include "io/dataset/recent_media.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "parallel/agreement.h"
#include "prepare/account.h"
#include "prepare/journal.h"
#include "prepare/reject_list.h"
#include "prepare/repetition.h"
#include "prepare/rows/parquet.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFewRows = 200;      // --max-bad is a share of at least so many rows
constexpr int64_t kManyRows = 10'000;  // assumed of a source of unknown length

/// The state that an interrupted run left of this dataset; without journal_bytes if there is none.
PrepareState earlier_state(const PrepareConfig& common, const PrepareJob& job,
                           const std::string& command) {
  if (common.overwrite) return {};
  const auto found = PrepareJournal::find(common.output, job.name, command);
  if (!found) {
    // Complete, but others of this command are not. The command was compared before.
    const auto finished = PrepareJournal::find_finished(common.output, job.name);
    return finished ? finished->state : PrepareState();
  }
  std::error_code error;
  const uint64_t listed = fs::file_size(rejects_path(common.output, job.name), error);
  if (found->rejects_bytes > 0 && (error || listed < found->rejects_bytes)) return {};
  return *found;
}

/// Counts rows, shows progress, and throws when more rows are rejected than --max-bad allows.
class RowCounter {
 public:
  RowCounter(const InputConfig& config, const PrepareJob& job, SourceExtent extent,
             int64_t rows_before, bool prints)
      : config_(config), job_(job), extent_(extent), rows_(rows_before), prints_(prints) {}

  int64_t rows() const { return rows_; }

  void begin_row(const SourceRow& row) {
    ++rows_;
    if (!progress_) {
      done_ = row.done - 1;
      ProgressOptions options;
      if (!prints_) options.file = nullptr;
      options.done_before = done_;
      progress_.emplace("prepare " + job_.name, extent_.total, extent_.unit, options);
    }
    progress_->advance(row.done - done_);
    done_ = row.done;
  }

  void check(const RejectList& rejects, bool is_last) {
    if (progress_) progress_->note(fmt::format("{} rejected", rejects.count()));
    const int64_t expected =
        is_last ? rows_ : (extent_.rows > 0 ? extent_.rows : std::max(rows_, kManyRows));
    const auto allowed = config_.max_bad * static_cast<double>(std::max(expected, kFewRows));
    if (static_cast<double>(rejects.count()) <= allowed) return;
    const std::string kinds = kinds_text(rejects.counts());
    const std::string list = rejects.path().string();
    if (!is_last && rows_ > 1 && rejects.count() == rows_)
      throw InputError(
          "{}: stopped at row {}: all {} rows read so far are unusable, more than --max-bad {} "
          "allows ({}); they are listed in {}; the first is {}",
          job_.input, rows_, rows_, config_.max_bad, kinds, list, rejects.first_problem());
    throw InputError(
        "{}: {} of {} rows are unusable, more than --max-bad {} allows ({}); they are listed in "
        "{}; the first is {}",
        job_.input, rejects.count(), expected, config_.max_bad, kinds, list,
        rejects.first_problem());
  }

  void finish() {
    if (progress_) progress_->finish();
  }

 private:
  const InputConfig& config_;
  const PrepareJob& job_;
  SourceExtent extent_;
  int64_t rows_;
  bool prints_;
  std::optional<Progress> progress_;
  int64_t done_ = 0;
};

/// A dataset of this rank, before it is written.
struct OpenJob {
  const PrepareJob* job;
  std::string command;  ///< of the input before it was opened
  std::unique_ptr<Source> source;
};

/// Writes one dataset.
class DatasetRun {
 public:
  DatasetRun(const PrepareConfig& common, const OpenJob& open, PrepareState earlier,
             PrepareOutput& output)
      : common_(common),
        job_(*open.job),
        command_(open.command),
        output_(output),
        series_(output.open(job_.name, job_.task, printable(job_.input))),
        rejects_(rejects_path(common.output, job_.name), earlier.rejects_bytes, earlier.rejected),
        journal_(common.output, job_.name, command_, earlier),
        state_(std::move(earlier)) {
    series_.keep_shards(state_.series, [this](const io::ShardSeriesState& written) {
      state_.series = written;
      record();
    });
    output_.add_texts_of(state_.series);
    if (state_.is_done && state_.journal_bytes == 0) journal_.append(state_);
    PrepareJournal::remove_finished(common.output, job_.name);
  }
  /// A journal without a complete shard is of no use.
  ~DatasetRun() {
    std::error_code ignored;
    if (state_.series.files.empty() && output_.holds_lease()) fs::remove(journal_.path(), ignored);
  }
  DatasetRun(const DatasetRun&) = delete;
  DatasetRun& operator=(const DatasetRun&) = delete;

  void run(const InputConfig& config, Source& source, bool prints) {
    if (state_.is_done) return;
    if (prints && !state_.series.files.empty())
      fmt::print("{}: continuing after {} in {}\n", job_.name,
                 counted(state_.series.samples, "sample"),
                 counted(std::ssize(state_.series.files), "complete shard"));
    RowCounter counter(config, job_, source.extent(), state_.rows, prints);
    int64_t skip_samples = state_.row_samples;
    source.read(state_.rows, [&](const SourceRow& row) {
      LYNCEUS_FAULT_POINT("prepare.row");
      counter.begin_row(row);
      if (!row.reject.empty()) {
        rejects_.add(counter.rows(), row);
        counter.check(rejects_, false);
      }
      for (size_t i = static_cast<size_t>(std::exchange(skip_samples, 0)); i < row.samples.size();
           ++i) {
        state_.row_samples = static_cast<int64_t>(i) + 1;
        output_.add(series_, row.samples[i]);
      }
      for (const auto& [kind, count] : row.left_out) state_.left_out[kind] += count;
      state_.rows = counter.rows();
      state_.row_samples = 0;
    });
    counter.finish();
    counter.check(rejects_, true);
    series_.close();
    state_.account = source.account();
    add_notes(state_.left_out, state_.account);
    if (command_of(job_, common_) != command_)
      state_.account.notes.push_back(
          fmt::format("{} changed while it was read: start again with --overwrite", job_.input));
    state_.is_done = true;
    record();
  }

  DatasetSummary summary() const {
    return {job_.name,     job_.input,      state_.series,
            state_.rows,   state_.rejected, rejects_.first_problem(),
            state_.account};
  }
  /// After all datasets of the command are written.
  void finish() { journal_.finish({complete_command(command_, common_), state_}); }

 private:
  void record() {
    LYNCEUS_FAULT_POINT("prepare.shard");
    output_.confirm_lease();
    rejects_.sync();
    state_.rejects_bytes = rejects_.bytes();
    state_.rejected = rejects_.counts();
    journal_.append(state_);
  }

  const PrepareConfig& common_;
  const PrepareJob& job_;
  const std::string command_;
  PrepareOutput& output_;
  io::ShardSeries& series_;
  RejectList rejects_;
  PrepareJournal journal_;
  PrepareState state_;
};

bool belongs_to_series(const std::string& name, const std::string& series) {
  return name.size() > series.size() + 1 && name.starts_with(series) &&
         name[series.size()] == '-' &&
         name.find_first_not_of("0123456789", series.size() + 1) == std::string::npos;
}

void check_config(const InputConfig& config, const std::vector<PrepareJob>& jobs) {
  if (!(config.max_bad >= 0 && config.max_bad <= 1))
    throw UsageError("--max-bad: expected a share from 0 to 1, found {}", config.max_bad);
  std::vector<std::string> names;
  for (const PrepareJob& job : jobs) {
    names.push_back(job.name);
    if (!is_utf8(job.name) || !is_utf8(job.task))
      throw UsageError(
          "--input {}: the name of a dataset and its task must be UTF-8, found {} and {}: rename "
          "the "
          "file, or give a link to it with another name",
          printable(job.input), printable(job.name), printable(job.task));
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    throw UsageError("--input: two files are named {}; both would become {}.h5", *twice, *twice);
  for (const std::string& name : names) {
    const size_t dash = name.rfind('-');
    if (dash == std::string::npos) continue;
    const std::string series = name.substr(0, dash);
    if (belongs_to_series(name, series) && std::binary_search(names.begin(), names.end(), series))
      throw UsageError("--input: {}.h5 would be a shard of {} as well as of {}", name, series,
                       name);
  }
}

std::vector<DatasetSummary> count_rows(const InputConfig& config, std::vector<OpenJob>& jobs,
                                       bool prints) {
  std::vector<DatasetSummary> summaries;
  for (auto& [job, command, source] : jobs) {
    DatasetSummary summary;
    summary.name = job->name;
    summary.input = job->input;
    RowCounter counter(config, *job, source->extent(), 0, prints);
    LeftOut left_out;
    io::RecentMedia recent;  // as if the dataset were one shard
    source->read(0, [&](const SourceRow& row) {
      counter.begin_row(row);
      if (!row.reject.empty()) {
        if (summary.rejected.empty()) summary.first_problem = row.problem;
        ++summary.rejected[row.reject];
      }
      for (const auto& [kind, count] : row.left_out) left_out[kind] += count;
      summary.written.samples += std::ssize(row.samples);
      for (const io::Sample& sample : row.samples) {
        summary.written.media += std::ssize(sample.media);
        for (const std::string& encoded : sample.media) {
          const uint64_t digest = io::digest64(encoded.data(), encoded.size());
          if (recent.find(digest)) continue;
          recent.add(digest);
          ++summary.written.stored_media;
          summary.written.media_bytes += encoded.size();
        }
      }
    });
    counter.finish();
    summary.rows = counter.rows();
    summary.account = source->account();
    add_notes(left_out, summary.account);
    summaries.push_back(summary);
  }
  return summaries;
}

void check_jobs(const PrepareConfig& common, const InputConfig& config,
                const std::vector<PrepareJob>& jobs, int ranks) {
  check_config(config, jobs);
  if (!config.dry_run) common.check_output();
  if (ranks > 1 && common.train_tokenizer > 0)
    throw UsageError("--train-tokenizer: expected one rank, found {}", ranks);
}

std::vector<DatasetCommand> commands_of(const std::vector<PrepareJob>& jobs,
                                        const PrepareConfig& common) {
  std::vector<DatasetCommand> commands;
  for (const PrepareJob& job : jobs) commands.push_back({job.name, command_of(job, common)});
  return commands;
}

/// JSON sources count their rows when they are opened, which takes seconds per gigabyte.
void announce_opening(const PrepareJob& job) {
  constexpr uint64_t kLargeBytes = 64 << 20;
  std::error_code error;
  const uint64_t size = fs::file_size(job.input, error);
  if (!error && size >= kLargeBytes)
    fmt::print(stderr, "prepare {}: opening {}\n", job.name, bytes_text(size));
}

/// Writes this rank's datasets.
class Writer {
 public:
  Writer(const PrepareConfig& common, const OutputFolder* folder, const std::vector<OpenJob>& jobs)
      : common_(common) {
    bool resumes = false;
    for (const auto& [job, command, source] : jobs) {
      states_.push_back(earlier_state(common, *job, command));
      resumes |= states_.back().journal_bytes > 0;
    }
    output_.emplace(common, folder, resumes);
    for (size_t i = 0; i < jobs.size(); ++i) {
      // A tokenizer learns from all datasets of one command.
      const bool keeps = states_[i].is_done && (resumes || common.train_tokenizer == 0);
      if (states_[i].journal_bytes == 0 && !keeps)
        output_->refuse_existing_shards(jobs[i].job->name);
    }
  }

  void run(const InputConfig& config, std::vector<OpenJob>& jobs, bool prints) {
    if (common_.train_tokenizer > 0) output_->keep_texts();
    for (size_t i = 0; i < jobs.size(); ++i) {
      runs_.push_back(
          std::make_unique<DatasetRun>(common_, jobs[i], std::move(states_[i]), *output_));
      runs_.back()->run(config, *jobs[i].source, prints);
      jobs[i].source.reset();
    }
  }
  void close() { output_->close(); }
  void finish() {
    for (const auto& run : runs_) run->finish();
  }

  std::vector<DatasetSummary> summaries() const {
    std::vector<DatasetSummary> summaries;
    for (const auto& run : runs_) summaries.push_back(run->summary());
    return summaries;
  }
  const PrepareOutput& output() const { return *output_; }

 private:
  const PrepareConfig& common_;
  std::vector<PrepareState> states_;
  std::optional<PrepareOutput> output_;
  std::vector<std::unique_ptr<DatasetRun>> runs_;
};

}  // namespace

void run_jobs(const PrepareConfig& common, const InputConfig& config,
              const std::vector<PrepareJob>& jobs, parallel::Communicator& world) {
  const bool prints = world.rank() == 0;
  std::optional<OutputFolder> folder;  // on rank 0
  bool is_complete = false;
  parallel::agree(world, [&] {
    check_jobs(common, config, jobs, world.size());
    if (config.dry_run || world.rank() != 0) return;
    folder.emplace(common);
    is_complete = is_complete_already(common, commands_of(jobs, common));
  });
  if (world.all_reduce(int64_t{is_complete}, parallel::ReduceOp::kMax) > 0) return;
  std::vector<OpenJob> mine;
  parallel::agree(world, [&] {
    for (size_t i = static_cast<size_t>(world.rank()); i < jobs.size();
         i += static_cast<size_t>(world.size())) {
      if (prints) announce_opening(jobs[i]);
      io::expect_file(jobs[i].input, "a file or a folder");
      refuse_parquet(jobs[i].input);
      std::string command = command_of(jobs[i], common);
      mine.push_back({&jobs[i], std::move(command), jobs[i].open()});
    }
  });
  if (config.dry_run) {
    std::vector<DatasetSummary> summaries;
    parallel::agree(world, [&] { summaries = count_rows(config, mine, prints); });
    summaries = gather_summaries(summaries, jobs.size(), world);
    if (prints)
      fmt::print("dry run: {}; nothing was written\n",
                 print_datasets(common.output, summaries, true));
    parallel::agree(world, [&] { check_any_sample(summaries, ""); });
    return;
  }
  std::optional<Writer> writer;
  parallel::agree(world, [&] { writer.emplace(common, folder ? &*folder : nullptr, mine); });
  parallel::agree(world, [&] { writer->run(config, mine, prints); });
  const std::vector<DatasetSummary> summaries =
      gather_summaries(writer->summaries(), jobs.size(), world);
  parallel::agree(world, [&] { check_any_sample(summaries, common.output); });
  parallel::agree(world, [&] { writer->close(); });
  parallel::agree(world, [&] { writer->finish(); });
  if (prints) writer->output().print_summary(summaries, true);
}

}  // namespace lynceus::prepare
