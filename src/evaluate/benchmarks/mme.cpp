#include "evaluate/benchmarks/mme.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evaluate/benchmarks/mme_files.h"
#include "evaluate/benchmarks/mme_rules.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;

constexpr const char* kGroups[] = {"perception", "cognition"};

struct TaskScore {
  int64_t questions = 0, right = 0, images = 0, right_images = 0, other = 0;

  double accuracy() const { return static_cast<double>(right) / static_cast<double>(questions); }
  double accuracy_plus() const {
    return static_cast<double>(right_images) / static_cast<double>(images);
  }
  double score() const { return 100 * accuracy() + 100 * accuracy_plus(); }
};

TaskScore score_task(const MmeTaskRows& task, const MmeRule& rule) {
  TaskScore score;
  for (size_t i = 0; i < task.rows.size(); i += 2) {
    int64_t right = 0;
    for (const size_t at : {i, i + 1}) {
      const YesNo label = rule.parse(task.rows[at].answer);
      right += label == task.rows[at].truth;
      score.other += label == YesNo::kOther;
    }
    score.questions += 2;
    score.right += right;
    ++score.images;
    score.right_images += right == 2;
  }
  return score;
}

/// All that one rule gives.
struct RuleScores {
  std::vector<TaskScore> tasks;                // in the order of the rows
  std::map<std::string, JsonValue> sums;       // perception and cognition; null without all tasks
  std::map<std::string, std::string> printed;  // the same for people
};

RuleScores score_all(const std::vector<MmeTaskRows>& tasks, const MmeRule& rule) {
  RuleScores scores;
  for (const MmeTaskRows& task : tasks) scores.tasks.push_back(score_task(task, rule));
  for (const std::string group : kGroups) {
    double sum = 0;
    size_t found = 0;
    for (size_t t = 0; t < tasks.size(); ++t)
      if (tasks[t].task->group == group) {
        sum += scores.tasks[t].score();
        ++found;
      }
    const auto all = std::count_if(mme_tasks().begin(), mme_tasks().end(),
                                   [&](const MmeTask& task) { return task.group == group; });
    const bool is_complete = found == static_cast<size_t>(all);
    scores.sums[group] = is_complete ? JsonValue(sum) : JsonValue();
    scores.printed[group] = is_complete ? fmt::format("{:.2f}", sum) : "-";
  }
  return scores;
}

/// The items that `rule` reads differently from the official one.
JsonValue differing(const std::vector<MmeTaskRows>& tasks, const MmeRule& rule) {
  JsonValue list = JsonValue::array();
  for (const MmeTaskRows& task : tasks)
    for (size_t i = 0; i < task.rows.size(); ++i) {
      const YesNo first = mme_rules()[0].parse(task.rows[i].answer);
      const YesNo other = rule.parse(task.rows[i].answer);
      if (first != other)
        list.push_back(JsonValue::object({{"id", task.rows[i].id},
                                          {"question", task.rows[i].question},
                                          {"answer", task.rows[i].answer},
                                          {"official", name_of(first)},
                                          {rule.name, name_of(other)}}));
    }
  return list;
}

void add_items(const std::vector<MmeTaskRows>& tasks, Evaluation* result) {
  for (const MmeTaskRows& task : tasks)
    for (size_t i = 0; i < task.rows.size(); ++i) {
      const MmeRow& row = task.rows[i];
      JsonValue labels = JsonValue::object();
      for (const MmeRule& rule : mme_rules())
        labels.set(rule.name, name_of(rule.parse(row.answer)));
      const bool is_right = mme_rules()[0].parse(row.answer) == row.truth;
      result->items.push_back({.benchmark = "mme",
                               .set = "mme",
                               .class_ = task.task->group,
                               .task = task.task->name,
                               .id = row.id,
                               .media = fmt::format("{}/{}", task.task->name, row.image),
                               .question = row.question,
                               .reference = name_of(row.truth),
                               .answer = row.answer,
                               .right = is_right,
                               .value = is_right ? 1 : 0,
                               .judge = mme_rules()[0].name,
                               .more = {{"labels", labels}}});
    }
}

/// The scores by the official rule; the table gets a row for each task.
JsonValue official_scores(const std::vector<MmeTaskRows>& tasks, const RuleScores& official,
                          ScoreTable* table) {
  JsonValue list = JsonValue::object();
  table->rows = {{"task", "score", "accuracy", "accuracy+", "questions", "neither"}};
  for (size_t t = 0; t < tasks.size(); ++t) {
    const TaskScore& score = official.tasks[t];
    list.set(tasks[t].task->name, JsonValue::object({{"score", score.score()},
                                                     {"accuracy", score.accuracy()},
                                                     {"accuracy_plus", score.accuracy_plus()},
                                                     {"questions", score.questions},
                                                     {"right", score.right},
                                                     {"images", score.images},
                                                     {"right_images", score.right_images},
                                                     {"other", score.other}}));
    table->rows.push_back({tasks[t].task->name, fmt::format("{:.2f}", score.score()),
                           percent(score.accuracy()), percent(score.accuracy_plus()),
                           std::to_string(score.questions), std::to_string(score.other)});
  }
  for (const std::string group : kGroups)
    table->rows.push_back({group, official.printed.at(group), "", "", "", ""});
  return list;
}

/// The scores by the other rules.
JsonValue other_rules(const std::vector<MmeTaskRows>& tasks, ScoreTable* table) {
  JsonValue rules = JsonValue::array();
  for (const MmeRule& rule : mme_rules().subspan(1)) {
    const RuleScores scores = score_all(tasks, rule);
    JsonValue by_task = JsonValue::object();
    for (size_t t = 0; t < tasks.size(); ++t)
      by_task.set(tasks[t].task->name, scores.tasks[t].score());
    const JsonValue items = differing(tasks, rule);
    table->notes.push_back(fmt::format(
        "by the rule of {}: perception {}, cognition {}; {} answers are read differently",
        rule.name, scores.printed.at("perception"), scores.printed.at("cognition"), items.size()));
    rules.push_back(JsonValue::object({{"name", rule.name},
                                       {"text", rule.text},
                                       {"source", rule.source},
                                       {"perception", scores.sums.at("perception")},
                                       {"cognition", scores.sums.at("cognition")},
                                       {"tasks", by_task},
                                       {"differing", items.size()},
                                       {"differing_items", items}}));
  }
  return rules;
}

}  // namespace

Evaluation evaluate_mme(const std::filesystem::path& path, bool partial,
                        const std::filesystem::path& results) {
  const MmeAnswers answers = read_mme(path, partial);
  if (!results.empty()) write_mme(results, answers);
  const MmeRule& rule = mme_rules()[0];
  const RuleScores official = score_all(answers.tasks, rule);
  JsonValue missing = JsonValue::array();
  for (const std::string& task : answers.missing) missing.push_back(task);
  Evaluation result;
  result.benchmark = "mme";
  result.warnings = answers.warnings;
  for (const std::string group : kGroups) result.scores.set(group, official.sums.at(group));
  result.scores.set("complete", answers.is_complete);
  result.scores.set("missing_tasks", missing);
  result.scores.set("tasks", official_scores(answers.tasks, official, &result.table));
  result.scores.set("rules", other_rules(answers.tasks, &result.table));
  add_items(answers.tasks, &result);
  result.card = {.answers = {digest_answers(path, answers.files)},
                 .rule = {rule.name, rule.text, rule.source},
                 .judge = ""};
  return result;
}

}  // namespace lynceus::evaluate
