#include "evaluate/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

namespace lynceus::evaluate {

using io::JsonValue;

namespace {

/// Lists of the origins of several files: once what is the same for all.
std::string readable(const JsonValue& value) {
  if (!value.is_array()) return value.text();
  std::vector<std::string> texts;
  for (const JsonValue& element : value.elements()) texts.push_back(element.text());
  const bool is_one =
      std::adjacent_find(texts.begin(), texts.end(), std::not_equal_to<>()) == texts.end();
  return is_one && !texts.empty() ? texts[0] : fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

std::string to_json(const Evaluation& evaluation) {
  JsonValue object = JsonValue::object({{"benchmark", evaluation.benchmark}});
  for (const JsonValue::Member& member : evaluation.scores.members())
    object.set(member.key, member.value);
  object.set("items", evaluation.items.size());
  object.set("protocol", evaluation.card.to_json());
  return object.dump_replacing();
}

std::vector<std::string> card_lines(const Evaluation& evaluation) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& key, const std::string& text) {
    lines.push_back(fmt::format("  {:<15}  {}", key, text));
  };
  for (const JsonValue::Member& member : evaluation.card.to_json().members()) {
    if (member.key == "answers") {
      for (const JsonValue& file : member.value.elements())
        add("answers", fmt::format("{}  {}", file.at("digest").text(), file.at("path").text()));
    } else if (member.key == "parse_rule") {
      add("parse rule", fmt::format("{}: {} ({})", evaluation.card.rule.name,
                                    evaluation.card.rule.text, evaluation.card.rule.source));
    } else {
      std::string key = member.key;
      if (key == "prompt_template") key = "prompt template";
      const bool is_none = key == "judge" && evaluation.card.judge.empty();
      add(key, is_none ? "none" : readable(member.value));
    }
  }
  return lines;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

JsonValue share_of(int64_t right, int64_t questions) {
  if (questions == 0) return {};
  return static_cast<double>(right) / static_cast<double>(questions);
}

}  // namespace lynceus::evaluate
