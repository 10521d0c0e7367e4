#include "evaluate/benchmarks/openvqa.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "evaluate/answer_rows.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;
using io::JsonValue;

struct PublishedClass {
  const char* set;
  const char* name;
  int64_t questions;
};
/// In the order of the paper's tables.
constexpr PublishedClass kClasses[] = {{"images", "OCR", 53},          {"images", "Counting", 37},
                                       {"images", "Reasoning", 31},    {"images", "Place", 22},
                                       {"images", "Color", 30},        {"images", "Spatial", 15},
                                       {"images", "Action", 20},       {"images", "Others", 94},
                                       {"videos", "Action(Y/N)", 108}, {"videos", "Others", 40}};
constexpr const char* kSets[] = {"images", "videos"};

struct Count {
  int64_t questions = 0, right = 0, judged = 0;

  void add(const Judgement& verdict) {
    ++questions;
    judged += verdict.has_value();
    right += verdict.value_or(false);
  }
  JsonValue json() const {
    return JsonValue::object({{"questions", questions},
                              {"right", right},
                              {"unjudged", questions - judged},
                              {"accuracy", share_of(right, judged)}});
  }
  std::vector<std::string> cells(const std::string& set, const std::string& name) const {
    return {set, name,
            judged == 0 ? "-" : percent(static_cast<double>(right) / static_cast<double>(judged)),
            std::to_string(right), std::to_string(questions)};
  }
};

struct Question {
  Item item;
  JudgedItem judged;
};

Question read_question(const io::Json& row, const std::string& judge) {
  Question question;
  Item& item = question.item;
  const std::string image = text_or_none(row, "image"), video = text_or_none(row, "video");
  if (image.empty() == video.empty())
    throw InputError("{}: expected an image or a video, found {}", row.where(),
                     image.empty() ? "neither" : "both");
  item.benchmark = "openvqa";
  item.set = image.empty() ? "videos" : "images";
  item.class_ = text_of(row.at("class"));
  item.media = image.empty() ? video : image;
  item.id = fmt::format("{}#{}", item.set, id_of(row.at("index")));
  item.question = text_of(row.at("question"));
  const std::vector<std::string> references = texts_of(row.at("answer"));
  item.reference = joined_references(references);
  item.answer = row.at("answer_predicted").string();
  item.judge = judge;
  question.judged = {item.id, item.question, references, item.answer};
  return question;
}

std::vector<Question> read_questions(const std::vector<fs::path>& files, const std::string& judge) {
  InputFaults faults;
  UniqueIds ids;
  std::vector<Question> questions;
  for (const fs::path& file : files)
    for (const io::Json& row : read_rows(file, &faults))
      faults.collect([&] {
        questions.push_back(read_question(row, judge));
        ids.add(questions.back().item.id, row.where(), &faults);
      });
  faults.raise();
  return questions;
}

/// Counts by set and class.
using Counts = std::map<std::string, std::map<std::string, Count>>;

/// "Counting 2 of 37" for each class of a set that has another number of questions than published.
std::vector<std::string> other_counts(const std::string& set,
                                      const std::map<std::string, Count>& classes) {
  std::map<std::string, int64_t> found, expected;
  for (const auto& [name, count] : classes) {
    found[name] = count.questions;
    expected[name] = 0;
  }
  for (const PublishedClass& published : kClasses)
    if (set == published.set) expected[published.name] = published.questions;
  std::vector<std::string> texts;
  for (const auto& [name, questions] : expected)
    if (found[name] != questions)
      texts.push_back(fmt::format("{} {} of {}", name, found[name], questions));
  return texts;
}

/// A warning for each set that has any question and not the published ones.
std::vector<std::string> compare_counts(const Counts& counts) {
  std::vector<std::string> warnings;
  for (const auto& [set, classes] : counts)
    if (const auto texts = other_counts(set, classes); !texts.empty())
      warnings.push_back(
          fmt::format("{}: expected the numbers of questions as published, found {}: the accuracy "
                      "is not that of the whole set",
                      set, fmt::join(texts, ", ")));
  return warnings;
}

void summarize(const Counts& counts, Evaluation* result) {
  auto& rows = result->table.rows;
  rows = {{"set", "class", "accuracy", "right", "questions"}};
  result->table.text_columns = 2;
  for (const std::string set : kSets) {
    if (!counts.contains(set)) continue;
    Count all;
    JsonValue classes = JsonValue::object();
    const auto add = [&](const std::string& name, const Count& count) {
      if (classes.contains(name)) return;
      classes.set(name, count.json());
      rows.push_back(count.cells(set, name));
      all.questions += count.questions;
      all.right += count.right;
      all.judged += count.judged;
    };
    const auto& found = counts.at(set);
    for (const PublishedClass& published : kClasses)
      if (set == published.set && found.contains(published.name))
        add(published.name, found.at(published.name));
    for (const auto& [name, count] : found) add(name, count);
    rows.push_back(all.cells(set, "all"));
    JsonValue scores = all.json();
    scores.set("classes", classes);
    result->scores.set(set, scores);
  }
}

}  // namespace

Evaluation evaluate_openvqa(const std::vector<fs::path>& answers, const Judge& judge) {
  const std::vector<Question> questions = read_questions(answers, judge.name);
  std::vector<JudgedItem> asked;
  for (const Question& question : questions) asked.push_back(question.judged);
  const std::vector<Judgement> verdicts = judge.decide(asked);
  LYNCEUS_CHECK(verdicts.size() == asked.size(), "a judge gives one verdict for each item");
  Evaluation result;
  result.benchmark = "openvqa";
  Counts counts;
  Count all;
  for (size_t i = 0; i < questions.size(); ++i) {
    Item item = questions[i].item;
    item.right = verdicts[i];
    if (verdicts[i]) item.value = *verdicts[i] ? 1 : 0;
    counts[item.set][item.class_].add(verdicts[i]);
    all.add(verdicts[i]);
    result.items.push_back(std::move(item));
  }
  for (const JsonValue::Member& member : all.json().members())
    result.scores.set(member.key, member.value);
  summarize(counts, &result);
  result.warnings = compare_counts(counts);
  result.scores.set("complete", result.warnings.empty() && counts.size() == std::size(kSets));
  if (all.judged != all.questions)
    result.warnings.push_back(
        fmt::format("the judge {} gave no verdict on {} of {} answers; they are in no accuracy",
                    judge.name, all.questions - all.judged, all.questions));
  for (const fs::path& file : answers) result.card.answers.push_back(digest_answers(file, {}));
  result.card.rule = {judge.name, judge.rule, judge.source};
  result.card.judge = judge.name;
  return result;
}

}  // namespace lynceus::evaluate
