// What every source of `lynceus prepare` writes to: shards, the texts for a tokenizer, the account
// at the end. Nothing that stands in the folder is replaced unasked.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/dataset/shard_series.h"
#include "prepare/corpus_writer.h"

namespace lynceus::prepare {

/// Options of all sources.
struct PrepareConfig {
  std::string output;
  bool overwrite = false;
  int64_t train_tokenizer = 0;
  std::string tokenizer_type = "bpe";
  double shard_gib = 2;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("output", output, "folder for the shards; made if it is not there");
    v.field("overwrite", overwrite, "replace what an earlier run wrote");
    v.field("shard-gib", shard_gib, "GiB of pictures and texts after which a new shard begins");
    v.field("train-tokenizer", train_tokenizer,
            "train a tokenizer of that many pieces on the texts, DIR/tokenizer.model; 0: none");
    v.choice("tokenizer-type", tokenizer_type, {"bpe", "unigram"}, "how it cuts words");
  }
  /// UsageError naming the option.
  void check() const;
  void check_output() const;
};

/// What became of one dataset.
struct DatasetAccount {
  std::string name;
  io::ShardSeriesState written;
  int64_t rows = 0;                              ///< read
  std::map<std::string, int64_t> rejected = {};  ///< rows by kind
};

/// A line a dataset, and what was rejected of which rows (where there are rows); returns the sums.
/// An account without files is of a dry run.
std::string print_datasets(const std::filesystem::path& directory,
                           const std::vector<DatasetAccount>& accounts, bool with_rows);

class PrepareOutput {
 public:
  /// Makes the folder. `config` must outlive this. `resumes`: texts and tokenizer that stand there
  /// are of the run that goes on.
  explicit PrepareOutput(const PrepareConfig& config, bool resumes = false);

  /// UsageError when shards of that name are there already.
  void refuse_existing_shards(const std::string& name) const;
  /// Begins shards NAME.h5, NAME-1.h5 ...
  io::ShardSeries& open(const std::string& name, const std::string& task,
                        const std::string& source);
  /// From now on all texts go to DIR/corpus.txt too; a tokenizer needs them.
  void keep_texts();
  void add(io::ShardSeries& series, const io::Sample& sample);
  /// Texts of complete shards of an earlier run, as if they had been added.
  void add_texts_of(const io::ShardSeriesState& earlier);
  /// Trains the tokenizer, if asked, then gives every file its name. Without: leaves nothing, but
  /// for series that keep their shards.
  void close();

  /// The datasets, then the sums with texts, tokenizer and time.
  void print_account(const std::vector<DatasetAccount>& accounts, bool with_rows) const;
  const std::vector<std::unique_ptr<io::ShardSeries>>& series() const { return series_; }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  void refuse_existing(const std::filesystem::path& path) const;

  const PrepareConfig& config_;
  bool resumes_;
  std::filesystem::path directory_;
  std::vector<std::unique_ptr<io::ShardSeries>> series_;
  std::unique_ptr<CorpusWriter> corpus_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace lynceus::prepare
