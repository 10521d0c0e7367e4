#include "evaluate/benchmarks/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/words.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

const ParseRule kRule = {
    .name = "likelihood of options",
    .text =
        "the option with the largest mean log-probability of its tokens and the end token; "
        "by_sum: with the largest sum",
    .source = "option_scores of lynceus evaluate options"};

struct OptionScore {
  double sum = 0;
  int64_t length = 1;

  double mean() const { return sum / static_cast<double>(length); }
};

/// What a row says of its options.
struct Choice {
  Item item;
  bool right_by_sum = false;
  double chance = 0;  // of a random choice to be right
};

std::vector<OptionScore> scores_of(const io::Json& row, size_t options) {
  const io::Json list = row.at("option_scores");
  if (list.size() != options)
    throw InputError("{}: expected a score of each of {} options, found {}", list.where(), options,
                     list.size());
  std::vector<OptionScore> scores;
  for (const io::Json& score : list.elements())
    scores.push_back({score.at("sum").number(), score.at("length").integer(1)});
  return scores;
}

/// The first option with the largest value.
size_t best_of(const std::vector<OptionScore>& scores,
               const std::function<double(const OptionScore&)>& value) {
  const auto best = std::max_element(
      scores.begin(), scores.end(),
      [&](const OptionScore& a, const OptionScore& b) { return value(a) < value(b); });
  return static_cast<size_t>(best - scores.begin());
}

size_t right_option(const io::Json& row, const std::vector<std::string>& options) {
  io::Json answer = row.at("answer");
  if (answer.is_number())
    return static_cast<size_t>(answer.integer(0, static_cast<int64_t>(options.size()) - 1));
  if (answer.is_array() && answer.size() == 1) answer = answer.at(size_t{0});
  const std::string text(stripped(text_of(answer)));
  const auto found = std::find(options.begin(), options.end(), text);
  if (found == options.end())
    throw InputError("{}: expected one of the options, or its number from 0, found '{}'",
                     answer.where(), text);
  return static_cast<size_t>(found - options.begin());
}

std::string id_of_row(const io::Json& row, size_t number) {
  for (const char* key : {"question_id", "index", "id"})
    if (const auto id = row.find(key)) return id_of(*id);
  return std::to_string(number);
}

Choice read_choice(const io::Json& row, size_t number) {
  std::vector<std::string> options;
  for (const std::string& option : texts_of(row.at("options")))
    options.emplace_back(stripped(option));
  const std::vector<OptionScore> scores = scores_of(row, options.size());
  const size_t right = right_option(row, options);
  Choice choice;
  const size_t best = best_of(scores, &OptionScore::mean);
  choice.right_by_sum = best_of(scores, [](const OptionScore& one) { return one.sum; }) == right;
  choice.chance = 1 / static_cast<double>(options.size());
  Item& item = choice.item;
  item.benchmark = "options";
  item.set = "options";
  item.class_ = text_or_none(row, "class");
  item.id = id_of_row(row, number);
  const std::string image = text_or_none(row, "image"), video = text_or_none(row, "video");
  item.media = !image.empty() ? image : !video.empty() ? video : item.id;
  item.question = text_or_none(row, "question");
  item.reference = options[right];
  item.answer = options[best];
  if (const std::string said = row.at("answer_predicted").string(); said != item.answer)
    throw InputError(
        "{}: answer_predicted: expected the option with the best score, '{}', found '{}'",
        row.where(), item.answer, said);
  item.right = best == right;
  item.value = *item.right ? 1 : 0;
  item.judge = "likelihood";
  item.more = {{"right_by_sum", choice.right_by_sum}};
  return choice;
}

struct Score {
  int64_t questions = 0, right = 0, right_by_sum = 0;
  double chance = 0;

  void add(const Choice& choice) {
    ++questions;
    right += *choice.item.right;
    right_by_sum += choice.right_by_sum;
    chance += choice.chance;
  }
  double share(double count) const { return count / static_cast<double>(questions); }
  double accuracy() const { return share(static_cast<double>(right)); }
  double accuracy_by_sum() const { return share(static_cast<double>(right_by_sum)); }

  JsonValue json() const {
    return JsonValue::object({{"questions", questions},
                              {"right", right},
                              {"accuracy", accuracy()},
                              {"accuracy_by_sum", accuracy_by_sum()},
                              {"chance", share(chance)}});
  }
  std::vector<std::string> cells(const std::string& name) const {
    return {name,
            percent(accuracy()),
            percent(accuracy_by_sum()),
            percent(share(chance)),
            std::to_string(right),
            std::to_string(questions)};
  }
};

}  // namespace

Evaluation evaluate_options(const std::vector<fs::path>& answers) {
  Evaluation result;
  result.benchmark = "options";
  InputFaults faults;
  UniqueIds ids;
  Score all;
  std::map<std::string, Score> classes;
  for (const fs::path& file : answers)
    for (const io::Json& row : read_rows(file, &faults))
      faults.collect([&] {
        Choice choice = read_choice(row, result.items.size() + 1);
        ids.add(choice.item.id, row.where(), &faults);
        all.add(choice);
        if (!choice.item.class_.empty()) classes[choice.item.class_].add(choice);
        result.items.push_back(std::move(choice.item));
      });
  faults.raise();
  result.table.rows = {{"class", "accuracy", "by sum", "chance", "right", "questions"}};
  JsonValue by_class = JsonValue::object();
  for (const auto& [name, score] : classes) {
    result.table.rows.push_back(score.cells(name));
    by_class.set(name, score.json());
  }
  result.table.rows.push_back(all.cells("all"));
  for (const JsonValue::Member& member : all.json().members())
    result.scores.set(member.key, member.value);
  result.scores.set("classes", by_class);
  for (const fs::path& file : answers) result.card.answers.push_back(digest_answers(file, {}));
  result.card.rule = kRule;
  return result;
}

}  // namespace lynceus::evaluate
