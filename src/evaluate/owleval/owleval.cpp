#include "evaluate/owleval/owleval.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "evaluate/owleval/answers.h"
#include "evaluate/owleval/ratings.h"
#include "evaluate/owleval/sheet.h"
#include "evaluate/words.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;

const ParseRule kRule = {
    .name = "people",
    .text =
        "people score each answer from 1 to 5, correctness before richness; at most two models "
        "with the same score on an item, at most ten items with a tie for each rater",
    .source = "arXiv 2307.02469"};

JsonValue to_json(const Estimate& estimate, const char* name) {
  const auto or_null = [](const std::optional<double>& value) {
    return value ? JsonValue(*value) : JsonValue();
  };
  return JsonValue::object(
      {{name, estimate.value}, {"low", or_null(estimate.low)}, {"high", or_null(estimate.high)}});
}

std::string interval(const Estimate& estimate) {
  if (!estimate.low || !estimate.high) return "no interval";
  return fmt::format("{:.2f} to {:.2f}", *estimate.low, *estimate.high);
}

int64_t empty_answers(const OwlModel& model) {
  return std::count_if(model.answers.begin(), model.answers.end(),
                       [](const std::string& answer) { return stripped(answer).empty(); });
}

/// One item for each model and question; `ratings` may be empty.
void add_items(const OwlAnswers& answers, const std::vector<Ratings>& ratings, Evaluation* result) {
  for (size_t m = 0; m < answers.models.size(); ++m)
    for (size_t q = 0; q < answers.questions.size(); ++q) {
      const OwlQuestion& question = answers.questions[q];
      Item item;
      item.benchmark = "owleval";
      item.set = answers.models[m].name;
      item.id = std::to_string(question.id);
      item.media = question.image.empty() ? item.id : question.image;
      item.question = question.text;
      item.answer = answers.models[m].answers[q];
      item.judge = ratings.empty() ? "" : kRule.name;
      JsonValue scores = JsonValue::object();
      double sum = 0;
      for (const Ratings& rater : ratings) {
        scores.set(rater.rater, rater.scores[q][m]);
        sum += rater.scores[q][m];
      }
      if (!ratings.empty()) {
        item.value = sum / static_cast<double>(ratings.size());
        item.more = {{"scores", scores}};
      }
      result->items.push_back(std::move(item));
    }
}

void add_pairs(const OwlAnswers& answers, const RatingScores& scores, Evaluation* result) {
  JsonValue pairs = JsonValue::array();
  for (const PairRating& pair : scores.pairs) {
    const std::string a = answers.models[pair.a].name, b = answers.models[pair.b].name;
    JsonValue object = JsonValue::object(
        {{"a", a}, {"b", b}, {"wins", pair.wins}, {"ties", pair.ties}, {"losses", pair.losses}});
    for (const auto& member : to_json(pair.win_rate, "win_rate").members())
      object.set(member.key, member.value);
    pairs.push_back(object);
    result->table.notes.push_back(fmt::format(
        "{} against {}: {} wins, {} ties, {} losses; win rate {:.2f} ({})", a, b, pair.wins,
        pair.ties, pair.losses, pair.win_rate.value, interval(pair.win_rate)));
  }
  result->scores.set("pairs", pairs);
}

void add_ratings(const OwlAnswers& answers, const std::vector<Ratings>& ratings,
                 Evaluation* result) {
  const RatingScores scores = score_ratings(ratings, answers);
  JsonValue raters = JsonValue::array();
  for (const Ratings& rater : ratings) raters.push_back(rater.rater);
  result->scores.set("raters", raters);
  JsonValue means = JsonValue::object();
  auto& rows = result->table.rows;
  rows[0].insert(rows[0].end(), {"mean score", "95 % interval"});
  for (size_t m = 0; m < scores.models.size(); ++m) {
    const Estimate& mean = scores.models[m].mean;
    means.set(answers.models[m].name, to_json(mean, "mean_score"));
    rows[m + 1].insert(rows[m + 1].end(), {fmt::format("{:.2f}", mean.value), interval(mean)});
  }
  result->scores.set("mean_scores", means);
  add_pairs(answers, scores, result);
  result->scores.set("agreement", scores.agreement ? JsonValue(*scores.agreement) : JsonValue());
  result->table.notes.push_back(
      scores.agreement ? fmt::format("agreement of {} raters (Krippendorff's alpha): {:.3f}",
                                     ratings.size(), *scores.agreement)
                       : fmt::format("agreement of raters: not defined for {} and these scores",
                                     ratings.size() == 1 ? "one rater" : "raters"));
}

}  // namespace

Evaluation evaluate_owleval(const OwlEvalOptions& options) {
  const OwlAnswers answers = read_owleval(options.answers, options.questions);
  const std::vector<Ratings> ratings = read_ratings(options.ratings, answers);
  Evaluation result;
  result.benchmark = "owleval";
  result.scores.set("questions", answers.questions.size());
  JsonValue models = JsonValue::array();
  result.table.rows = {{"model", "answers", "empty"}};
  for (const OwlModel& model : answers.models) {
    const int64_t empty = empty_answers(model);
    models.push_back(JsonValue::object(
        {{"model", model.name}, {"answers", model.answers.size()}, {"empty", empty}}));
    result.table.rows.push_back(
        {model.name, std::to_string(model.answers.size()), std::to_string(empty)});
  }
  result.scores.set("models", models);
  if (!options.sheet.empty()) {
    io::atomic_write_text(options.sheet, make_sheet(answers, options.seed, options.images));
    result.scores.set("sheet", options.sheet.string());
    result.table.notes.push_back(fmt::format("sheet for raters: {}", options.sheet.string()));
  }
  if (!ratings.empty()) add_ratings(answers, ratings, &result);
  add_items(answers, ratings, &result);
  for (const std::filesystem::path& file : options.answers)
    result.card.answers.push_back(digest_answers(file, {}));
  result.card.rule = kRule;
  result.card.judge = ratings.empty() ? "" : fmt::format("{} raters", ratings.size());
  return result;
}

}  // namespace lynceus::evaluate
