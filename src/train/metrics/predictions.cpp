#include "train/metrics/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/files/json_value.h"
#include "kernels/embedding.h"
#include "model/parameter_value.h"

namespace lynceus::train {
namespace {

/// A scored token as the ranks exchange it.
struct SentToken {
  int64_t sample;  ///< of the global batch
  ScoredToken token;
};

/// The places [begin, end) among the scored tokens of each answer: tokens that follow each other,
/// up to an end token. `first_is_scored`: false if the first token has no row before it.
std::vector<std::pair<size_t, size_t>> answers_in(const io::TokenizedSample& tokens, int32_t eos_id,
                                                  bool first_is_scored) {
  std::vector<std::pair<size_t, size_t>> answers;
  size_t place = 0;
  bool is_open = false;
  for (size_t t = 0; t < tokens.token_ids.size(); ++t) {
    if (tokens.scored[t] == 0) {
      is_open = false;
      continue;
    }
    if (!is_open) answers.emplace_back(place, place);
    if (t > 0 || first_is_scored) ++place;
    answers.back().second = place;
    is_open = tokens.token_ids[t] != eos_id;
  }
  return answers;
}

/// The text of the tokens that were chosen, up to the first that is not the label.
std::string chosen_text(const io::Tokenizer& tokenizer, std::span<const ScoredToken> answer) {
  std::vector<int32_t> ids;
  for (const ScoredToken& token : answer) {
    if (token.chosen == tokenizer.eos_id()) break;
    if (token.chosen < tokenizer.size()) ids.push_back(token.chosen);  // [PAD] has no text
    if (token.chosen != token.label) break;
  }
  return tokenizer.decode(ids);
}

}  // namespace

std::string to_json(const Prediction& prediction) {
  std::string text;
  const auto add = [&](const char* key, const io::JsonValue& value) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "{" : ", ", key, value.dump_replacing());
  };
  add("set", prediction.set);
  add("class", prediction.task);
  add("key", prediction.key);
  add("turn", prediction.turn);
  add("question", prediction.question);
  add("reference", prediction.reference);
  add("answer", prediction.answer);
  add("right", prediction.is_right);
  // Six digits: the rest depends on the grid of ranks.
  const double value = prediction.log_probability;
  return text + fmt::format(", \"log_probability\": {}}}",
                            std::isfinite(value) ? fmt::format("{:.6g}", value) : "null");
}

void ScoredTokens::add(const model::LmHead& head, const model::PackedBatch& batch,
                       const Tensor& h) {
  const int64_t rows = batch.scored();
  if (rows == 0) return;
  const Tensor picked = rt_.activation({rows, h.cols()});
  kernels::gather_rows(rt_.stream, h, batch.scored_rows, picked);
  const Tensor device_logits = head.logits(rt_, picked);
  const int64_t cols = device_logits.cols();
  const Tensor logits = model::on_host(rt_, device_logits);
  const std::vector<int32_t> labels = batch.scored_labels.to_vector<int32_t>();
  const kernels::VocabularyShard& shard = head.vocabulary;
  const Tensor largest = Tensor::zeros(rt_.host(), {rows});
  const Tensor chosen = Tensor::zeros(rt_.host(), {rows}, DType::kI32);
  const Tensor sums = Tensor::zeros(rt_.host(), {rows, 2}, DType::kF64);  // Σ exp, label's logit
  const auto row_of = [&](int64_t row) { return logits.data<float>() + row * cols; };
  for (int64_t row = 0; row < rows; ++row)
    largest.data<float>()[row] = shard.valid == 0
                                     ? -std::numeric_limits<float>::infinity()
                                     : *std::max_element(row_of(row), row_of(row) + shard.valid);
  rt_.grid.tensor->all_reduce(largest, parallel::ReduceOp::kMax);
  for (int64_t row = 0; row < rows; ++row) {
    const float* const begin = row_of(row);
    const float* const end = begin + shard.valid;
    const float most = largest.data<float>()[row];
    const float* const found = std::find(begin, end, most);
    chosen.data<int32_t>()[row] = found == end
                                      ? std::numeric_limits<int32_t>::max()
                                      : static_cast<int32_t>(shard.begin + (found - begin));
    double* const sum = sums.data<double>() + 2 * row;
    for (const float* value = begin; value != end; ++value)
      sum[0] += std::exp(static_cast<double>(*value) - static_cast<double>(most));
    const int64_t column = labels[static_cast<size_t>(row)] - shard.begin;
    if (column >= 0 && column < shard.valid) sum[1] = static_cast<double>(begin[column] - most);
  }
  rt_.grid.tensor->all_reduce(chosen, parallel::ReduceOp::kMin);
  rt_.grid.tensor->all_reduce(sums);
  if (rt_.grid.tensor->rank() != 0) return;
  for (int64_t row = 0; row < rows; ++row) {
    const double* const sum = sums.data<double>() + 2 * row;
    const int32_t sample = batch.sample_of_scored[static_cast<size_t>(row)];
    const SentToken sent{
        batch.samples[static_cast<size_t>(sample)],
        {labels[static_cast<size_t>(row)], chosen.data<int32_t>()[row], sum[1] - std::log(sum[0])}};
    mine_.append(reinterpret_cast<const char*>(&sent), sizeof(sent));
  }
}

std::vector<std::vector<ScoredToken>> ScoredTokens::agreed(int64_t samples) const {
  std::vector<std::vector<ScoredToken>> by_sample(static_cast<size_t>(samples));
  for (const std::string& bytes : rt_.grid.world->all_gather(mine_))
    for (size_t at = 0; at < bytes.size(); at += sizeof(SentToken)) {
      SentToken sent;
      std::memcpy(&sent, bytes.data() + at, sizeof(sent));
      by_sample.at(static_cast<size_t>(sent.sample)).push_back(sent.token);
    }
  return by_sample;
}

std::vector<Prediction> predictions_of(const io::Tokenizer& tokenizer,
                                       const std::vector<io::Turn>& turns,
                                       const io::TokenizedSample& tokens,
                                       const std::vector<ScoredToken>& scored) {
  // A row predicts the token after it, so a text that begins without BOS and media has no
  // prediction of its first token.
  const auto in_text =
      static_cast<size_t>(std::count(tokens.scored.begin(), tokens.scored.end(), uint8_t{1}));
  const bool begins_scored = !tokens.scored.empty() && tokens.scored[0] != 0;
  const bool first_is_scored = !begins_scored || scored.size() == in_text;
  LYNCEUS_CHECK(scored.size() + (first_is_scored ? 0 : 1) == in_text,
                "{} scored tokens in the text, {} were scored", in_text, scored.size());
  const auto answers = answers_in(tokens, tokenizer.eos_id(), first_is_scored);
  std::vector<Prediction> predictions;
  std::string question;
  for (const io::Turn& turn : turns) {
    if (turn.role == io::TurnRole::kUser) question = turn.text;
    if (turn.role == io::TurnRole::kUser || turn.role == io::TurnRole::kSystem) continue;
    if (predictions.size() == answers.size()) break;
    const auto [begin, end] = answers[predictions.size()];
    const std::span<const ScoredToken> answer(scored.data() + begin, end - begin);
    Prediction prediction;
    prediction.turn = static_cast<int64_t>(predictions.size()) + 1;
    prediction.question = question;
    prediction.reference = turn.text;
    prediction.answer = chosen_text(tokenizer, answer);
    prediction.is_right = std::all_of(answer.begin(), answer.end(), [](const ScoredToken& token) {
      return token.chosen == token.label;
    });
    for (const ScoredToken& token : answer) prediction.log_probability += token.log_probability;
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace lynceus::train
