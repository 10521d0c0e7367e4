#include "prepare/output.h"

#include <fmt/format.h>

#include <system_error>

#include "core/error.h"
#include "core/text/units.h"
#include "core/version.h"
#include "io/dataset/shard.h"
#include "io/text/tokenizer.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

/// Whether it did not exist before.
bool create_output(const PrepareConfig& config) {
  config.check_output();
  std::error_code error;
  const bool is_new = fs::create_directories(config.output, error);
  if (error) throw IoError("--output {}: {}", config.output, error.message());
  return is_new;
}

/// What another process has opened is then no longer the file of this name.
void replace_by_copy(const fs::path& path) {
  fs::path temporary = path;
  temporary += ".tmp.copy";
  std::error_code error;
  fs::copy_file(path, temporary, fs::copy_options::overwrite_existing, error);
  if (error) throw IoError("cannot copy {}: {}", path.string(), error.message());
  io::sync_file(temporary);
  io::rename_file(temporary, path);
}

/// Removes the shards that the former owner was writing, and gives each list that it appends to
/// another inode, so that its open files are no longer those in the folder.
void disarm_former_owner(const fs::path& directory) {
  std::vector<fs::path> appended;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name.find(".h5.tmp.") != std::string::npos || name == "corpus.txt.tmp")
      unfinished.push_back(entry.path());
    else if (name.ends_with(".unfinished") || name.ends_with("-rejects.jsonl"))
      appended.push_back(entry.path());
  }
  std::error_code is_gone;
  for (const fs::path& path : unfinished) fs::remove(path, is_gone);
  for (const fs::path& path : appended)
    if (io::file_exists(path)) replace_by_copy(path);
}

/// "82 stored", in a dry run "82 to store"; empty where no samples share images.
std::string stored_text(const io::ShardSeriesState& written) {
  if (written.stored_media == written.media) return "";
  return fmt::format("{} {}", written.stored_media, written.files.empty() ? "to store" : "stored");
}

void print_samples(const std::string& shard, const io::ShardSeriesState& written) {
  fmt::print("{:<40} {:>8} {:<7} {:>8} {:<6} {:>10}", shard, written.samples,
             noun_of(std::to_string(written.samples), "samples"), written.media,
             noun_of(std::to_string(written.media), "images"), bytes_text(written.media_bytes));
  if (!written.files.empty()) fmt::print("  {}", counted(std::ssize(written.files), "file"));
  const std::string stored = stored_text(written);
  fmt::print("{}{}\n", stored.empty() ? "" : written.files.empty() ? "  " : ", ", stored);
}

}  // namespace

void PrepareConfig::check() const {
  if (!(shard_gib > 0 && shard_gib <= 1024))
    throw UsageError("--shard-gib: expected more than 0 and at most 1024, found {}", shard_gib);
  if (train_tokenizer < 0 || train_tokenizer > 1'000'000)
    throw UsageError("--train-tokenizer: expected 0 to 1000000 pieces, found {}", train_tokenizer);
}

void PrepareConfig::check_output() const {
  if (output.empty()) throw UsageError("prepare: expected --output DIR, found none");
}

OutputFolder::OutputFolder(const PrepareConfig& config)
    : path_(config.output), is_new_(create_output(config)) {
  io::LeaseOptions options;
  options.directory_is = "output folder";
  options.advice =
      "choose another --output, or pass --take-over if you are certain that it is gone";
  options.take_over = config.take_over;
  if (io::file_exists(path_ / io::kLeaseName))
    options.disarm_former_owner = [&](const std::string&) { disarm_former_owner(path_); };
  lease_ = io::Lease::acquire(path_, options);
}

OutputFolder::~OutputFolder() {
  lease_.reset();
  std::error_code is_not_empty;
  if (is_new_) fs::remove(path_, is_not_empty);
}

PrepareOutput::PrepareOutput(const PrepareConfig& config, const OutputFolder* folder, bool resumes)
    : config_(config), folder_(folder), resumes_(resumes), directory_(config.output) {
  create_output(config);
  if (config_.train_tokenizer > 0) refuse_existing(directory_ / "tokenizer.model");
}

bool PrepareOutput::holds_lease() const {
  return folder_ == nullptr || folder_->lease().still_mine();
}

void PrepareOutput::confirm_lease() const {
  if (folder_ != nullptr) folder_->lease().confirm();
}

void PrepareOutput::refuse_existing(const fs::path& path) const {
  if (!config_.overwrite && !resumes_ && fs::exists(path))
    throw UsageError("{} already exists; --overwrite replaces it", path.string());
}

void PrepareOutput::refuse_existing_shards(const std::string& name) const {
  if (config_.overwrite) return;
  for (const fs::path& path : io::ShardSeries::existing(directory_, name))
    throw UsageError("{} already exists; --overwrite replaces it", path.string());
}

io::ShardSeries& PrepareOutput::open(const std::string& name, const std::string& task,
                                     const std::string& source) {
  const auto bytes = static_cast<uint64_t>(config_.shard_gib * 0x1p30);
  io::ShardSeries& series = *series_.emplace_back(std::make_unique<io::ShardSeries>(
      directory_, name, io::ShardInfo{task, source, software_version()}, bytes));
  series.before_shard([this] { confirm_lease(); });
  return series;
}

void PrepareOutput::keep_texts() {
  refuse_existing(directory_ / "corpus.txt");
  // The earlier one does not fit to the datasets that are now replaced.
  std::error_code ignored;
  if (config_.overwrite) fs::remove(directory_ / "tokenizer.model", ignored);
  corpus_ = std::make_unique<CorpusWriter>(directory_ / "corpus.txt");
}

void PrepareOutput::add(io::ShardSeries& series, const io::Sample& sample) {
  series.add(sample);
  if (corpus_) corpus_->add(sample);
}

void PrepareOutput::add_texts_of(const io::ShardSeriesState& earlier) {
  if (!corpus_) return;
  for (const fs::path& file : earlier.files) {
    const io::ShardReader shard(file);
    io::Sample sample;
    for (int64_t i = 0; i < shard.size(); ++i) {
      sample.turns = shard.turns(i);
      corpus_->add(sample);
    }
  }
}

void PrepareOutput::close() {
  confirm_lease();
  if (config_.train_tokenizer > 0) {
    io::TokenizerTraining training;
    training.vocab_size = static_cast<int>(config_.train_tokenizer);
    training.model_type = config_.tokenizer_type;
    io::train_tokenizer(corpus_->written(), training, directory_ / "tokenizer.model");
  }
  for (const auto& series : series_) series->close();
  if (corpus_) corpus_->close();
}

void PrepareOutput::print_summary(const std::vector<DatasetSummary>& summaries,
                                  bool with_rows) const {
  const std::string totals = print_datasets(directory_, summaries, with_rows);
  if (corpus_) fmt::print("{:<40} texts\n", (directory_ / "corpus.txt").string());
  if (config_.train_tokenizer > 0)
    fmt::print("{:<40} {:>8} pieces\n", (directory_ / "tokenizer.model").string(),
               config_.train_tokenizer);
  int64_t files = 0;
  for (const DatasetSummary& summary : summaries) files += std::ssize(summary.written.files);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
  fmt::print("prepared {}, {}, {:.1f} s\n", totals, counted(files, "shard"), seconds.count());
}

std::string print_datasets(const fs::path& directory, const std::vector<DatasetSummary>& summaries,
                           bool with_rows) {
  io::ShardSeriesState total;
  int64_t rejected = 0;
  for (const DatasetSummary& summary : summaries) {
    const io::ShardSeriesState& written = summary.written;
    const std::string name = (directory / summary.name).string();
    if (written.samples > 0)
      print_samples(name + ".h5", written);
    else
      fmt::print("{:<40} no samples\n", name);
    total.files.insert(total.files.end(), written.files.begin(), written.files.end());
    total.samples += written.samples;
    total.media += written.media;
    total.stored_media += written.stored_media;
    total.media_bytes += written.media_bytes;
    if (!with_rows) continue;
    rejected += total_of(summary.rejected);
    fmt::print("  {}\n", account_text(summary, directory));
  }
  const std::string stored = stored_text(total);
  // Scripts look for this line, so its words do not change with the numbers.
  return fmt::format("{} samples, {} images ({}{}), {} rejected", total.samples, total.media,
                     stored.empty() ? "" : stored + ", ", bytes_text(total.media_bytes), rejected);
}

}  // namespace lynceus::prepare
