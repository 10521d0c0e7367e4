// What `lynceus prepare` writes: dataset shards, the texts for a tokenizer, the tokenizer and the
// summary at the end. Existing files are replaced only with --overwrite.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/dataset/shard_series.h"
#include "io/files/lease.h"
#include "prepare/account.h"
#include "prepare/corpus_writer.h"

namespace lynceus::prepare {

/// Options that all sources share.
struct PrepareConfig {
  std::string output;
  bool overwrite = false;
  bool take_over = false;
  int64_t train_tokenizer = 0;
  std::string tokenizer_type = "bpe";
  double shard_gib = 2;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("output", output, "directory for the shards; created if it does not exist");
    v.field("overwrite", overwrite, "replace files of an earlier run");
    v.field("take-over", take_over,
            "take over the output folder from a process that still holds its lease");
    v.field("shard-gib", shard_gib, "size in GiB of images and texts at which a new shard starts");
    v.field("train-tokenizer", train_tokenizer,
            "train a tokenizer with this many pieces on the texts, DIR/tokenizer.model; 0: none");
    v.choice("tokenizer-type", tokenizer_type, {"bpe", "unigram"},
             "SentencePiece algorithm for --train-tokenizer");
  }
  /// UsageError if a value is out of range.
  void check() const;
  /// UsageError if --output is missing; a dry run needs none.
  void check_output() const;
};

/// Prints one line per dataset and, if `with_rows`, one with its rows and rejects. Returns the
/// totals as text. A summary without files is that of a dry run.
std::string print_datasets(const std::filesystem::path& directory,
                           const std::vector<DatasetSummary>& summaries, bool with_rows);

/// The output folder with its lease: of several processes that prepare into one folder, one writes.
class OutputFolder {
 public:
  /// Creates the folder if it is missing. UsageError naming the owner if another process has it,
  /// unless --take-over is given. A former owner that still runs can change no file of the new one:
  /// what it was writing is removed, and what both append to is replaced by a copy.
  explicit OutputFolder(const PrepareConfig& config);
  /// Releases the lease, and removes the folder if it is new and empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const io::Lease& lease() const { return *lease_; }

 private:
  std::filesystem::path path_;
  bool is_new_;
  std::unique_ptr<io::Lease> lease_;
};

class PrepareOutput {
 public:
  /// Creates the directory. `config` and `folder` must outlive this object; on ranks other than 0
  /// there is no folder. `resumes`: an existing corpus.txt and tokenizer.model belong to the
  /// interrupted run that this one continues.
  PrepareOutput(const PrepareConfig& config, const OutputFolder* folder, bool resumes = false);

  /// UsageError if shards of that name exist, unless --overwrite is given.
  void refuse_existing_shards(const std::string& name) const;
  /// Starts the shards NAME.h5, NAME-1.h5 ...
  io::ShardSeries& open(const std::string& name, const std::string& task,
                        const std::string& source);
  /// Writes all texts to DIR/corpus.txt too, from now on. Needed to train a tokenizer.
  void keep_texts();
  void add(io::ShardSeries& series, const io::Sample& sample);
  /// Adds the texts of complete shards of an earlier run to corpus.txt.
  void add_texts_of(const io::ShardSeriesState& earlier);
  /// Reads whether the lease is still ours: IoError if another process took it over.
  void confirm_lease() const;
  bool holds_lease() const;
  /// Trains the tokenizer if --train-tokenizer is given, then renames all files to their final
  /// names. Without this call no file is left, except complete shards of series that keep them.
  void close();

  /// Prints the datasets, then the totals with texts, tokenizer and time.
  void print_summary(const std::vector<DatasetSummary>& summaries, bool with_rows) const;
  const std::vector<std::unique_ptr<io::ShardSeries>>& series() const { return series_; }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  void refuse_existing(const std::filesystem::path& path) const;
  const PrepareConfig& config_;
  const OutputFolder* folder_;
  bool resumes_;
  std::filesystem::path directory_;
  std::vector<std::unique_ptr<io::ShardSeries>> series_;
  std::unique_ptr<CorpusWriter> corpus_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace lynceus::prepare
