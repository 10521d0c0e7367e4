// The cache of keys and values of a stage: rows for the tokens of all sequences that are being
// answered, in every decoder layer of the stage. A row belongs to one token. The rows of a prompt
// serve all sequences that continue it, and a beam is a list of rows, so beams change places and
// share their past without a copy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/search.h"
#include "model/stage.h"

namespace lynceus::generate {

/// bytes = rows · 2 · layers · kv_heads_local · head_dim · bytes of an element
int64_t cache_bytes(int64_t rows, int64_t layers, int64_t width, DType dtype);

/// The memory, and which rows are free. The order in which rows are taken is the same on all ranks.
class Cache {
 public:
  /// `dtype`: f32 or bf16.
  Cache(const Runtime& rt, const model::LlmStage& stage, DType dtype, int64_t rows);

  const std::vector<model::LayerCache>& layers() const { return layers_; }
  int64_t rows() const { return rows_; }
  int64_t free_rows() const { return static_cast<int64_t>(free_.size()); }
  int64_t bytes() const;

  /// `count` free rows; there must be as many.
  std::vector<int32_t> take(int64_t count);
  void give_back(std::span<const int32_t> rows);
  /// More memory; only where no row is taken. The content is lost.
  void grow(const Runtime& rt, int64_t rows);

 private:
  void allocate(const Runtime& rt);

  int64_t num_layers_, width_, rows_;
  DType dtype_;
  std::vector<model::LayerCache> layers_;
  std::vector<int32_t> free_;  // the next one last
};

/// The sequences of one prompt that is being answered: tokens to feed and the cache rows of each.
class Sequences {
 public:
  /// `width`: the most live sequences. `rows`: rows_needed() of them.
  Sequences(int64_t prompt_tokens, int32_t next_position, int64_t width, std::vector<int32_t> rows);
  /// prompt + width · (max_new_tokens − 1): the last token of an answer is never fed.
  static int64_t rows_needed(int64_t prompt_tokens, int64_t width, int64_t max_new_tokens);

  /// The rows of the prompt.
  std::span<const int32_t> prompt_rows() const;
  /// The sequences continue as the search says; each new token gets a row.
  void advance(std::span<const Search::Next> next);

  int64_t live() const { return static_cast<int64_t>(tokens_.size()); }
  int32_t token(int64_t sequence) const { return tokens_[static_cast<size_t>(sequence)]; }
  int32_t position() const { return next_position_ + fed_ - 1; }  // of these tokens
  /// The row of the sequence's newest token.
  int32_t newest_row(int64_t sequence) const;
  /// Appends the rows of all its tokens, the prompt's first.
  void append_rows(int64_t sequence, std::vector<int32_t>* rows) const;
  const std::vector<int32_t>& all_rows() const { return rows_; }

 private:
  int64_t prompt_tokens_;
  int32_t next_position_;
  int64_t width_;
  std::vector<int32_t> rows_;
  std::vector<int32_t> tokens_;             // [live]
  std::vector<std::vector<int32_t>> past_;  // [live][fed]: rows of the answer's tokens
  int32_t fed_ = 0;                         // tokens of each sequence
};

}  // namespace lynceus::generate
