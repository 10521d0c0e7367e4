#include "evaluate/benchmarks/vqa.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/vqa_normal_form.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

const ParseRule kRule = {
    .name = "VQA accuracy",
    .text =
        "mean over the ways to leave one human answer out of min(1, matches / 3), after the "
        "normalisation of VQA if the human answers differ",
    .source = kVqaSource};

std::vector<std::string> references_of(const io::Json& row) {
  const auto several = row.find("answers");
  const io::Json list = several ? *several : row.at("answer");
  std::vector<std::string> texts;
  for (const io::Json& element : list.elements())
    texts.push_back(element.is_object() ? element.at("answer").string() : element.string());
  if (texts.size() < 2)
    throw InputError("{}: expected at least two human answers, found {}", list.where(),
                     texts.size());
  return texts;
}

Item read_item(const io::Json& row) {
  Item item;
  item.benchmark = "vqa";
  item.set = "vqa";
  item.class_ = text_or_none(row, "answer_type");
  item.task = text_or_none(row, "question_type");
  item.id = id_of(row.at("question_id"));
  const auto image = row.find("image");
  const auto image_id = row.find("image_id");
  item.media = image ? text_of(*image) : image_id ? id_of(*image_id) : item.id;
  item.question = text_or_none(row, "question");
  const std::vector<std::string> references = references_of(row);
  item.reference = joined_references(references);
  item.answer = row.at("answer_predicted").string();
  item.value = vqa_accuracy(item.answer, references);
  item.judge = "vqa";
  return item;
}

struct Mean {
  double sum = 0;
  int64_t questions = 0;

  void add(double value) {
    sum += value;
    ++questions;
  }
  double value() const { return sum / static_cast<double>(questions); }
};
using Means = std::map<std::string, Mean>;

JsonValue add_rows(const char* kind, const Means& means, ScoreTable* table) {
  JsonValue object = JsonValue::object();
  for (const auto& [name, mean] : means) {
    object.set(name,
               JsonValue::object({{"accuracy", mean.value()}, {"questions", mean.questions}}));
    table->rows.push_back({kind, name, percent(mean.value()), std::to_string(mean.questions)});
  }
  return object;
}

}  // namespace

double vqa_accuracy(std::string_view answer, std::span<const std::string> references) {
  std::string given = trimmed_answer(answer);
  std::vector<std::string> others;
  for (const std::string& reference : references) others.push_back(trimmed_answer(reference));
  const bool is_unanimous =
      std::adjacent_find(others.begin(), others.end(), std::not_equal_to<>()) == others.end();
  if (!is_unanimous) {
    given = with_digits(without_punctuation(given));
    for (std::string& reference : others) reference = with_digits(without_punctuation(reference));
  }
  const auto matches = std::count(others.begin(), others.end(), given);
  double sum = 0;
  for (const std::string& left_out : others)
    sum += std::min(1.0, static_cast<double>(matches - (left_out == given)) / 3);
  return sum / static_cast<double>(others.size());
}

Evaluation evaluate_vqa(const std::vector<fs::path>& answers) {
  Evaluation result;
  result.benchmark = "vqa";
  InputFaults faults;
  UniqueIds ids;
  Mean all;
  Means by_answer, by_question;
  for (const fs::path& file : answers)
    for (const io::Json& row : read_rows(file, &faults))
      faults.collect([&] {
        Item item = read_item(row);
        ids.add(item.id, row.where(), &faults);
        all.add(*item.value);
        if (!item.class_.empty()) by_answer[item.class_].add(*item.value);
        if (!item.task.empty()) by_question[item.task].add(*item.value);
        result.items.push_back(std::move(item));
      });
  faults.raise();
  result.table.text_columns = 2;
  result.table.rows = {{"type", "", "accuracy", "questions"},
                       {"all", "", percent(all.value()), std::to_string(all.questions)}};
  result.scores.set("accuracy", all.value());
  result.scores.set("questions", all.questions);
  result.scores.set("answer_types", add_rows("answer", by_answer, &result.table));
  result.scores.set("question_types", add_rows("question", by_question, &result.table));
  for (const fs::path& file : answers) result.card.answers.push_back(digest_answers(file, {}));
  result.card.rule = kRule;
  return result;
}

}  // namespace lynceus::evaluate
