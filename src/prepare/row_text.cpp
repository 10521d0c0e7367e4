#include "prepare/row_text.h"

#include <utility>

#include "prepare/source.h"

namespace lynceus::prepare {
namespace {

io::TurnRole role_of(const io::Json& from) {
  const std::string name = from.string();
  for (const char* user : {"human", "user"}) {
    if (name == user) return io::TurnRole::kUser;
  }
  for (const char* assistant : {"gpt", "assistant", "chatgpt", "bing", "bard", "model"}) {
    if (name == assistant) return io::TurnRole::kAssistant;
  }
  if (name == "system") return io::TurnRole::kSystem;
  throw InputError("{}: expected human, user, gpt, assistant or system, found '{}'", from.where(),
                   name.substr(0, 100));
}

}  // namespace

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string text_of(const io::Json& value) {
  std::string text = trimmed(value.string());
  if (text.empty()) {
    throw RejectedRow("empty text", "{}: expected a text, found an empty one", value.where());
  }
  return text;
}

std::vector<std::string> texts_of(const io::Json& value) {
  if (!value.is_array()) return {text_of(value)};
  std::vector<std::string> texts;
  for (const io::Json& element : value.elements()) texts.push_back(text_of(element));
  if (texts.empty()) {
    throw RejectedRow("empty text", "{}: expected at least one text, found an empty list",
                      value.where());
  }
  return texts;
}

std::string id_of(const io::Json& value) {
  if (value.is_string()) return value.string();
  return std::to_string(value.integer());
}

std::string keys_of(const io::Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.members()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() ? "none" : keys.substr(0, 400);
}

std::vector<io::Sample> one_sample_per_answer(const io::Sample& sample,
                                              const std::vector<std::string>& answers) {
  std::vector<io::Sample> samples(answers.size(), sample);
  for (size_t i = 0; i < answers.size(); ++i) {
    samples[i].turns.push_back({io::TurnRole::kAssistant, answers[i]});
    if (answers.size() > 1) samples[i].key += fmt::format("#{}", i + 1);
  }
  return samples;
}

std::vector<io::Turn> turns_of(const io::Json& conversation) {
  std::vector<io::Turn> turns;
  for (const io::Json& turn : conversation.elements())
    turns.push_back({role_of(turn.at("from")), turn.at("value").string()});
  return turns;
}

std::vector<io::Turn> alternating_turns(std::vector<io::Turn> turns, const std::string& where) {
  std::vector<io::Turn> kept;
  const auto bad = [&](const char* found) {
    return RejectedRow("broken conversation",
                       "{}: expected user and assistant to alternate, found {}", where, found);
  };
  for (io::Turn& turn : turns) {
    turn.text = trimmed(turn.text);
    if (turn.text.empty())
      throw RejectedRow("empty text", "{}: expected a text in every turn, found an empty one",
                        where);
    const bool begins = kept.empty() || kept.back().role == io::TurnRole::kSystem;
    if (turn.role == io::TurnRole::kSystem) {
      if (!kept.empty()) throw bad("a system turn that is not the first");
    } else if (begins) {
      if (turn.role == io::TurnRole::kAssistant) continue;  // an answer without a question
    } else if (turn.role == kept.back().role) {
      throw bad("two turns of one speaker");
    }
    kept.push_back(std::move(turn));
  }
  if (!kept.empty() && kept.back().role == io::TurnRole::kUser) kept.pop_back();
  if (kept.empty() || kept.back().role != io::TurnRole::kAssistant)
    throw bad("no question with an answer");
  return kept;
}

}  // namespace lynceus::prepare
