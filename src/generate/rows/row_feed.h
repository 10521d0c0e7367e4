// The rows of one replica as prompts, in one round or in two: with a description first, the model
// describes the picture, and its description stays in the conversation before the question.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "generate/engine/feed.h"
#include "generate/rows/media_reader.h"
#include "generate/rows/rows.h"
#include "io/text/prompt.h"
#include "io/text/tokenizer.h"

namespace lynceus::generate {

/// How rows become prompts.
struct Conversation {
  const io::Tokenizer* tokenizer = nullptr;
  io::PromptStyle style;
  Settings settings;
  Description description;
  int64_t max_input_tokens = 0;  // of BOS and the text the last ones stay; 0: all
  int64_t context = 2048;        // positions of the model
  std::string question = {};     // of rows without one
  bool scores_options = false;   // the likelihood of the options of a row, instead of decoding
};

/// What becomes of a row.
struct RowAnswer {
  size_t row = 0;
  std::vector<Search::Answer> answers;  // none: the row is rejected; of options: in their order
  std::string description;              // of the first round, if there was one
  std::string problem;                  // why it is rejected
  std::optional<bool> right = {};  // if there is a reference: whether the best answer has exactly
                                   // its tokens, the end token included
};

/// The rows of each replica: rows with the same media are answered by the same one, one after the
/// other. Rows with a problem are left out.
std::vector<std::vector<size_t>> share_rows(const std::vector<Row>& rows, int replicas);

class RowFeed : public Feed {
 public:
  using Sink = std::function<void(const RowAnswer&)>;

  /// `mine`: indices of the rows, in the order in which they are answered. `model`: for the number
  /// of visual tokens. All outlive the feed.
  RowFeed(const std::vector<Row>& rows, std::vector<size_t> mine, const Conversation& conversation,
          const model::ModelConfig& model, const MediaReader& media, Sink sink);

  std::optional<Prompt> next() override;
  void take(const Prompt& prompt, std::vector<Search::Answer> answers) override;
  std::vector<int64_t> media_to_come(size_t most) const override;
  bool is_needed(int64_t media) const override { return uses_.contains(media); }
  PromptMedia describe(int64_t media) const override;
  Tensor pixels(int64_t media) const override;
  void reject(int64_t media, const std::string& reason) override { rejected_[media] = reason; }

  /// The most rows of a cache that one prompt of the first round needs.
  int64_t most_cache_rows() const;

 private:
  std::vector<std::vector<int32_t>> tokens_of_options(size_t row) const;
  /// The prompt of a row, or nothing: then the row was rejected.
  std::optional<Prompt> prompt_of(size_t row, int round, const std::string& description);
  std::vector<io::Turn> turns_of(size_t row, int round, const std::string& description) const;
  bool describes(size_t row) const;
  int64_t visual_tokens(const Row& row) const;
  std::vector<int32_t> tokens_of(const std::vector<io::Turn>& turns) const;
  void finish(RowAnswer answer);
  void release(size_t row);

  struct Described {
    size_t row;
    std::string description;
  };

  const std::vector<Row>& rows_;
  std::vector<size_t> mine_;
  const Conversation& conversation_;
  const model::ModelConfig& model_;
  const MediaReader& media_;
  Sink sink_;
  Settings description_settings_;
  size_t at_ = 0;                        // the next of mine_
  std::deque<Described> described_;      // whose questions are to be asked
  std::map<size_t, std::string> texts_;  // descriptions, by row, until it is answered
  std::map<size_t, int64_t> media_of_;   // by row: the first row with the same media
  std::map<int64_t, int64_t> uses_;      // rows that still need the media
  std::map<int64_t, std::string> rejected_;
};

}  // namespace lynceus::generate
