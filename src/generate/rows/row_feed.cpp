#include "generate/rows/row_feed.h"

#include <fmt/format.h>

#include <algorithm>

#include "generate/engine/cache.h"
#include "generate/engine/decoder.h"
#include "generate/rows/answer_text.h"

namespace lynceus::generate {
namespace {

enum Round { kQuestion = 0, kDescription = 1 };

}  // namespace

std::vector<std::vector<size_t>> share_rows(const std::vector<Row>& rows, int replicas) {
  // Groups of rows in the order of their first row.
  std::map<std::string, size_t> group_of;
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].problem.empty()) continue;
    const std::string name = rows[i].media.name();
    if (!name.empty()) {
      const auto [known, is_new] = group_of.emplace(name, groups.size());
      if (!is_new) {
        groups[known->second].push_back(i);
        continue;
      }
    }
    groups.push_back({i});
  }
  std::vector<std::vector<size_t>> shares(static_cast<size_t>(replicas));
  for (const std::vector<size_t>& group : groups) {
    auto& least = *std::min_element(shares.begin(), shares.end(), [](const auto& a, const auto& b) {
      return a.size() < b.size();
    });
    least.insert(least.end(), group.begin(), group.end());
  }
  return shares;
}

RowFeed::RowFeed(const std::vector<Row>& rows, std::vector<size_t> mine,
                 const Conversation& conversation, const model::ModelConfig& model,
                 const MediaReader& media, Sink sink)
    : rows_(rows),
      mine_(std::move(mine)),
      conversation_(conversation),
      model_(model),
      media_(media),
      sink_(std::move(sink)),
      description_settings_(conversation.description.settings(conversation.settings)) {
  std::map<std::string, int64_t> first;
  for (const size_t row : mine_) {
    const std::string name = rows[row].media.name();
    if (name.empty()) continue;
    const int64_t number = first.emplace(name, static_cast<int64_t>(row)).first->second;
    media_of_[row] = number;
    ++uses_[number];
  }
}

bool RowFeed::describes(size_t row) const {
  return conversation_.description.first && media_of_.contains(row);
}

PromptMedia RowFeed::describe(int64_t media) const {
  return rows_[static_cast<size_t>(media)].media.prompt;
}

Tensor RowFeed::pixels(int64_t media) const {
  return media_.read(rows_[static_cast<size_t>(media)].media);
}

std::vector<int64_t> RowFeed::media_to_come(size_t most) const {
  std::vector<int64_t> media;
  for (size_t i = at_; i < mine_.size() && media.size() < most; ++i) {
    const auto found = media_of_.find(mine_[i]);
    if (found == media_of_.end() || rejected_.contains(found->second)) continue;
    if (std::find(media.begin(), media.end(), found->second) == media.end())
      media.push_back(found->second);
  }
  return media;
}

std::optional<Prompt> RowFeed::next() {
  while (!described_.empty()) {
    const Described described = std::move(described_.front());
    described_.pop_front();
    if (auto prompt = prompt_of(described.row, kQuestion, described.description)) return prompt;
  }
  while (at_ < mine_.size()) {
    const size_t row = mine_[at_++];
    const auto media = media_of_.find(row);
    if (media != media_of_.end() && rejected_.contains(media->second)) {
      finish({row, {}, "", rejected_[media->second]});
      continue;
    }
    if (auto prompt = prompt_of(row, describes(row) ? kDescription : kQuestion, "")) return prompt;
  }
  return std::nullopt;
}

std::vector<io::Turn> RowFeed::turns_of(size_t row, int round,
                                        const std::string& description) const {
  const std::vector<io::Turn>& asked = rows_[row].turns;
  const io::Turn request{io::TurnRole::kUser, conversation_.description.request};
  if (round == kDescription) return {request};
  if (!describes(row)) return asked;
  // A system turn stays in front.
  const auto begin = asked.begin() + (asked.front().role == io::TurnRole::kSystem ? 1 : 0);
  std::vector<io::Turn> turns(asked.begin(), begin);
  turns.push_back(request);
  turns.push_back({io::TurnRole::kAssistant, description});
  turns.insert(turns.end(), begin, asked.end());
  return turns;
}

int64_t RowFeed::visual_tokens(const Row& row) const {
  int64_t visual = 0;
  for (const int64_t frames : row.media.prompt.item_frames) visual += model_.visual_tokens(frames);
  return visual;
}

std::vector<int32_t> RowFeed::tokens_of(const std::vector<io::Turn>& turns) const {
  std::vector<int32_t> tokens =
      io::tokenize_prompt(*conversation_.tokenizer, conversation_.style, turns);
  const auto most = static_cast<size_t>(conversation_.max_input_tokens);
  if (most > 0 && tokens.size() > most)
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(most));
  return tokens;
}

std::vector<std::vector<int32_t>> RowFeed::tokens_of_options(size_t row) const {
  std::vector<std::vector<int32_t>> tokens;
  for (const std::string& option : rows_[row].options)
    tokens.push_back(
        tokens_of_answer(*conversation_.tokenizer, conversation_.style, rows_[row].turns, option));
  return tokens;
}

std::optional<Prompt> RowFeed::prompt_of(size_t row, int round, const std::string& description) {
  Prompt prompt;
  prompt.row = row;
  prompt.round = round;
  prompt.settings = round == kDescription ? &description_settings_ : &conversation_.settings;
  prompt.eos = conversation_.tokenizer->eos_id();
  const auto media = media_of_.find(row);
  if (media != media_of_.end()) prompt.media = media->second;
  if (round == kQuestion) prompt.given = tokens_of_options(row);
  prompt.token_ids = tokens_of(turns_of(row, round, description));
  const int64_t tokens = visual_tokens(rows_[row]) + static_cast<int64_t>(prompt.token_ids.size());
  std::string problem;
  const int64_t new_tokens = most_new_tokens(prompt);
  if (tokens + new_tokens > conversation_.context)
    problem = fmt::format(
        "expected a prompt and an answer of at most {} tokens, which is the context of the model, "
        "found {} tokens before an answer of up to {}",
        conversation_.context, tokens, new_tokens);
  if (prompt.token_ids.empty()) problem = "expected a prompt with at least one token, found none";
  if (!problem.empty()) {
    finish({row, {}, "", problem});
    return std::nullopt;
  }
  if (round == kQuestion) release(row);
  return prompt;
}

void RowFeed::release(size_t row) {
  const auto media = media_of_.find(row);
  if (media == media_of_.end()) return;
  const auto uses = uses_.find(media->second);
  if (uses != uses_.end() && --uses->second == 0) uses_.erase(uses);
}

void RowFeed::finish(RowAnswer answer) {
  if (!answer.problem.empty()) release(answer.row);
  sink_(answer);
}

void RowFeed::take(const Prompt& prompt, std::vector<Search::Answer> answers) {
  const size_t row = prompt.row;
  if (prompt.round == kQuestion) {
    RowAnswer answer{row, std::move(answers), "", ""};
    if (const auto text = texts_.extract(row)) answer.description = text.mapped();
    if (rows_[row].reference)
      answer.right = answer.answers.front().tokens ==
                     tokens_of_answer(*conversation_.tokenizer, conversation_.style,
                                      rows_[row].turns, *rows_[row].reference);
    return finish(std::move(answer));
  }
  const std::string text = answer_text(*conversation_.tokenizer, answers.front().tokens);
  texts_[row] = text;
  described_.push_back({row, text});
}

int64_t RowFeed::most_cache_rows() const {
  int64_t most = 1;
  for (const size_t row : mine_) {
    const int64_t visual = visual_tokens(rows_[row]);
    const auto needed = [&](int round, const Settings& settings, int64_t more) {
      Prompt prompt;
      prompt.settings = &settings;
      if (round == kQuestion) prompt.given = tokens_of_options(row);
      const auto text = static_cast<int64_t>(tokens_of(turns_of(row, round, "")).size());
      return Sequences::rows_needed(visual + text + more, most_sequences(prompt),
                                    most_new_tokens(prompt));
    };
    const bool has_description = describes(row);
    if (has_description) most = std::max(most, needed(kDescription, description_settings_, 0));
    const int64_t described = has_description ? description_settings_.max_new_tokens : 0;
    most = std::max(most, needed(kQuestion, conversation_.settings, described));
  }
  return most;
}

}  // namespace lynceus::generate
