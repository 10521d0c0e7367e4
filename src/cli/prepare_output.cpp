// See prepare_output.h.
#include "cli/prepare_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/tokenizer.h"
#include "train/run_state.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFewLines = 200;  // a share of fewer says little

double megabytes(uint64_t bytes) { return static_cast<double>(bytes) * 1e-6; }

}  // namespace

void PrepareConfig::check() const {
  if (output.empty()) throw UsageError("prepare: expected --output DIR, found none");
  if (!(shard_gib > 0 && shard_gib <= 1024))
    throw UsageError("--shard-gib: expected more than 0 and at most 1024, found {}", shard_gib);
  if (train_tokenizer < 0 || train_tokenizer > 1'000'000)
    throw UsageError("--train-tokenizer: expected 0 to 1000000 pieces, found {}", train_tokenizer);
}

PrepareOutput::PrepareOutput(const PrepareConfig& config)
    : config_(config), directory_(config.output) {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) throw IoError("--output {}: {}", config.output, error.message());
  if (config_.train_tokenizer > 0) refuse_existing(directory_ / "tokenizer.model");
}

void PrepareOutput::refuse_existing(const fs::path& path) const {
  if (!config_.overwrite && fs::exists(path))
    throw UsageError("{} is there already; --overwrite replaces it", path.string());
}

io::ShardSeries& PrepareOutput::open(const std::string& name, const std::string& task,
                                     const std::string& source) {
  for (const fs::path& path : io::ShardSeries::existing(directory_, name)) refuse_existing(path);
  const auto bytes = static_cast<uint64_t>(config_.shard_gib * 0x1p30);
  return *series_.emplace_back(std::make_unique<io::ShardSeries>(
      directory_, name, io::ShardInfo{task, source, software_version()}, bytes));
}

void PrepareOutput::keep_texts() {
  refuse_existing(directory_ / "corpus.txt");
  corpus_ = std::make_unique<io::CorpusWriter>(directory_ / "corpus.txt");
}

void PrepareOutput::add(io::ShardSeries& series, const io::Sample& sample) {
  series.add(sample);
  if (corpus_) corpus_->add(sample);
}

void PrepareOutput::close() {
  if (config_.train_tokenizer > 0) {
    io::TokenizerTraining training;
    training.vocab_size = static_cast<int>(config_.train_tokenizer);
    training.model_type = config_.tokenizer_type;
    io::train_tokenizer(corpus_->written(), training, directory_ / "tokenizer.model");
  }
  for (const auto& series : series_) series->close();
  if (corpus_) corpus_->close();
}

void PrepareOutput::print_summary(int64_t bad_lines) const {
  int64_t samples = 0;
  int64_t media = 0;
  uint64_t bytes = 0;
  size_t files = 0;
  for (const auto& series : series_) {
    fmt::print("{:<40} {:>8} samples {:>8} images {:>9.1f} MB  {} {}\n",
               (directory_ / series->name()).string() + ".h5", series->samples(), series->media(),
               megabytes(series->media_bytes()), series->files().size(),
               series->files().size() == 1 ? "file" : "files");
    samples += series->samples();
    media += series->media();
    bytes += series->media_bytes();
    files += series->files().size();
  }
  if (corpus_) fmt::print("{:<40} texts\n", (directory_ / "corpus.txt").string());
  if (config_.train_tokenizer > 0)
    fmt::print("{:<40} {:>8} pieces\n", (directory_ / "tokenizer.model").string(),
               config_.train_tokenizer);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
  fmt::print("prepared {} samples, {} images ({:.1f} MB), {} bad lines, {} shard(s), {:.1f} s\n",
             samples, media, megabytes(bytes), bad_lines, files, elapsed.count());
}

BadLines::BadLines(fs::path list, std::string file, double max_share, int64_t lines)
    : list_(std::move(list)), file_(std::move(file)), max_share_(max_share), lines_(lines) {
  std::error_code ignored;
  fs::remove(list_, ignored);
}

void BadLines::add(const std::string& problem) {
  if (count_++ == 0) {
    output_ = io::File::create(list_);
    first_ = problem;
  }
  const std::string line = problem + "\n";
  output_.append(line.data(), line.size());
  if (static_cast<double>(count_) > max_share_ * static_cast<double>(std::max(lines_, kFewLines)))
    throw InputError(
        "{}: {} of {} lines are unusable, more than --max-bad {} allows; all so far "
        "are listed in {}, the first is {}",
        file_, count_, lines_, max_share_, list_.string(), first_);
}

}  // namespace lynceus::cli
