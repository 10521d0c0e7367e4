#include "generate/engine/cache.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"

namespace lynceus::generate {

int64_t cache_bytes(int64_t rows, int64_t layers, int64_t width, DType dtype) {
  return rows * 2 * layers * width * static_cast<int64_t>(size_of(dtype));
}

Cache::Cache(const Runtime& rt, const model::LlmStage& stage, DType dtype, int64_t rows)
    : num_layers_(static_cast<int64_t>(stage.layers.size())),
      width_(stage.layers.front().attention.k_proj.out_features()),
      rows_(rows),
      dtype_(dtype) {
  allocate(rt);
}

int64_t Cache::bytes() const { return cache_bytes(rows_, num_layers_, width_, dtype_); }

void Cache::allocate(const Runtime& rt) {
  layers_.clear();
  for (int64_t layer = 0; layer < num_layers_; ++layer)
    layers_.push_back({Tensor::zeros(rt.stream, {rows_, width_}, dtype_),
                       Tensor::zeros(rt.stream, {rows_, width_}, dtype_)});
  free_.resize(static_cast<size_t>(rows_));
  std::iota(free_.rbegin(), free_.rend(), 0);
}

std::vector<int32_t> Cache::take(int64_t count) {
  LYNCEUS_CHECK(count <= free_rows(), "{} rows of the cache, {} are free", count, free_rows());
  std::vector<int32_t> rows(free_.rbegin(), free_.rbegin() + count);
  free_.resize(free_.size() - static_cast<size_t>(count));
  return rows;
}

void Cache::give_back(std::span<const int32_t> rows) {
  free_.insert(free_.end(), rows.rbegin(), rows.rend());
}

void Cache::grow(const Runtime& rt, int64_t rows) {
  LYNCEUS_CHECK(free_rows() == rows_, "the cache is in use");
  rows_ = rows;
  allocate(rt);
}

Sequences::Sequences(int64_t prompt_tokens, int32_t next_position, int64_t width,
                     std::vector<int32_t> rows)
    : prompt_tokens_(prompt_tokens),
      next_position_(next_position),
      width_(width),
      rows_(std::move(rows)) {}

int64_t Sequences::rows_needed(int64_t prompt_tokens, int64_t width, int64_t max_new_tokens) {
  return prompt_tokens + width * std::max<int64_t>(0, max_new_tokens - 1);
}

std::span<const int32_t> Sequences::prompt_rows() const {
  return std::span<const int32_t>(rows_).first(static_cast<size_t>(prompt_tokens_));
}

void Sequences::advance(std::span<const Search::Next> next) {
  LYNCEUS_CHECK(static_cast<int64_t>(next.size()) <= width_, "{} live sequences, at most {}",
                next.size(), width_);
  std::vector<std::vector<int32_t>> past(next.size());
  tokens_.resize(next.size());
  for (size_t i = 0; i < next.size(); ++i) {
    tokens_[i] = next[i].token;
    if (fed_ > 0) past[i] = past_.at(static_cast<size_t>(next[i].parent));
    past[i].push_back(
        rows_.at(static_cast<size_t>(prompt_tokens_ + fed_ * width_ + static_cast<int64_t>(i))));
  }
  past_ = std::move(past);
  ++fed_;
}

int32_t Sequences::newest_row(int64_t sequence) const {
  return past_[static_cast<size_t>(sequence)].back();
}

void Sequences::append_rows(int64_t sequence, std::vector<int32_t>* rows) const {
  const std::span<const int32_t> prompt = prompt_rows();
  rows->insert(rows->end(), prompt.begin(), prompt.end());
  const std::vector<int32_t>& past = past_[static_cast<size_t>(sequence)];
  rows->insert(rows->end(), past.begin(), past.end());
}

}  // namespace lynceus::generate
