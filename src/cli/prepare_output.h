// What every source of `lynceus prepare` writes to: shards, the list of unusable lines, the texts
// for a tokenizer. Nothing that stands in the folder is replaced unasked.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/corpus_writer.h"
#include "io/file.h"
#include "io/shard_series.h"

namespace lynceus::cli {

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
};

class PrepareOutput {
 public:
  /// Makes the folder. `config` must outlive this.
  explicit PrepareOutput(const PrepareConfig& config);

  /// Begins shards NAME.h5, NAME-1.h5 ...; UsageError when there are some already.
  io::ShardSeries& open(const std::string& name, const std::string& task,
                        const std::string& source);
  /// From now on all texts go to DIR/corpus.txt too; a tokenizer needs them.
  void keep_texts();
  void add(io::ShardSeries& series, const io::Sample& sample);
  /// Trains the tokenizer, if asked, then gives every file its name. Without: leaves nothing.
  void close();

  void print_summary(int64_t bad_lines) const;
  const std::vector<std::unique_ptr<io::ShardSeries>>& series() const { return series_; }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  void refuse_existing(const std::filesystem::path& path) const;

  const PrepareConfig& config_;
  std::filesystem::path directory_;
  std::vector<std::unique_ptr<io::ShardSeries>> series_;
  std::unique_ptr<io::CorpusWriter> corpus_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// The lines of one file that gave no sample: a text file, made with the first of them.
class BadLines {
 public:
  /// `lines`: of the whole file; `list` of an earlier run is removed.
  BadLines(std::filesystem::path list, std::string file, double max_share, int64_t lines);

  /// InputError once more than max_share of the lines is bad; fewer than 200 count as 200, so that
  /// one bad line does not stop a small file.
  void add(const std::string& problem);
  int64_t count() const { return count_; }

 private:
  std::filesystem::path list_;
  std::string file_;
  double max_share_;
  int64_t lines_;
  io::File output_;
  std::string first_;
  int64_t count_ = 0;
};

}  // namespace lynceus::cli
