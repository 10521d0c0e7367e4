#include "evaluate/owleval/ratings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "evaluate/answer_rows.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSamples = 10'000;

uint64_t seed_of(const io::Json& value) {
  const std::string text = value.string();
  uint64_t seed = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (failure != std::errc() || end != text.data() + text.size())
    throw InputError("{}: expected a seed, found '{}'", value.where(), text);
  return seed;
}

/// The scores of one item, by model.
std::vector<int> scores_of(const io::Json& shown, const std::vector<size_t>& order) {
  if (shown.size() != order.size())
    throw InputError("{}: expected {} scores, one for each model, found {}", shown.where(),
                     order.size(), shown.size());
  std::vector<int> scores(order.size());
  for (size_t place = 0; place < order.size(); ++place)
    scores[order[place]] = static_cast<int>(shown.at(place).integer(1, kMostScore));
  if (const size_t tied = tied_models(scores); tied > kMostTiedModels)
    throw InputError("{}: expected at most {} models with the same score, found {} in {}",
                     shown.where(), kMostTiedModels, tied, shown.dump());
  return scores;
}

Ratings read_file(const fs::path& file, const OwlAnswers& answers, InputFaults* faults) {
  const io::Json json = io::Json::read(file);
  if (text_or_none(json, "format") != kRatingsFormat || json.at("version").integer() != 1)
    throw InputError("{}: expected a filled sheet, \"format\": \"{}\", \"version\": 1",
                     file.string(), kRatingsFormat);
  const uint64_t seed = seed_of(json.at("seed"));
  const std::string sheet = json.at("sheet").string();
  if (const std::string expected = sheet_digest(answers, seed); sheet != expected)
    throw InputError(
        "{}: expected ratings of the sheet {} with these answers and questions, found "
        "those of {}",
        file.string(), expected, sheet);
  Ratings ratings;
  ratings.rater = text_of(json.at("rater"));
  const io::Json scores = json.at("scores");
  int ties = 0;
  size_t found = 0;
  for (const OwlQuestion& question : answers.questions) {
    ratings.scores.emplace_back();
    faults->collect([&] {
      const io::Json shown = scores.at(std::to_string(question.id));
      ++found;
      const auto order = shown_order(seed, question.id, answers.models.size());
      ratings.scores.back() = scores_of(shown, order);
      ties += tied_models(ratings.scores.back()) > 0;
    });
  }
  if (ties > kMostTies)
    faults->add(fmt::format("{}: expected at most {} items with a tie, found {}", file.string(),
                            kMostTies, ties));
  if (scores.size() != found)
    faults->add(fmt::format("{}: expected scores of the {} questions of the sheet, found {} others",
                            file.string(), answers.questions.size(), scores.size() - found));
  return ratings;
}

/// A sum and the number of its terms, of one image.
struct Cluster {
  double sum = 0, count = 0;
};

/// The ratio of the sums, and its interval over samples of clusters with replacement.
Estimate estimate(const std::vector<Cluster>& clusters, const std::string& name) {
  Cluster all;
  for (const Cluster& cluster : clusters) all = {all.sum + cluster.sum, all.count + cluster.count};
  if (clusters.size() < 2) return {all.sum / all.count};
  const CounterRandom random(1, name);
  std::vector<double> values(kSamples);
  for (size_t sample = 0; sample < kSamples; ++sample) {
    Cluster drawn;
    for (size_t i = 0; i < clusters.size(); ++i) {
      const Cluster& cluster =
          clusters[random.below(sample * clusters.size() + i, clusters.size())];
      drawn = {drawn.sum + cluster.sum, drawn.count + cluster.count};
    }
    values[sample] = drawn.sum / drawn.count;
  }
  std::sort(values.begin(), values.end());
  const auto percentile = [&](double share) {  // between neighbours, linear
    const double place = share * static_cast<double>(kSamples - 1);
    const auto below = static_cast<size_t>(place);
    const double weight = place - static_cast<double>(below);
    return values[below] + weight * (values[std::min(below + 1, kSamples - 1)] - values[below]);
  };
  return {all.sum / all.count, percentile(0.025), percentile(0.975)};
}

/// Calls `term(scores of an item)` for each item and rater, and sums by image.
template <typename Term>
std::vector<Cluster> sum_by_image(const std::vector<Ratings>& ratings, const OwlAnswers& answers,
                                  const Term& term) {
  std::map<std::string, Cluster> images;
  for (size_t q = 0; q < answers.questions.size(); ++q) {
    const OwlQuestion& question = answers.questions[q];
    Cluster& cluster =
        images[question.image.empty() ? std::to_string(question.id) : question.image];
    for (const Ratings& rater : ratings) {
      cluster.sum += term(rater.scores[q]);
      cluster.count += 1;
    }
  }
  std::vector<Cluster> clusters;
  for (const auto& [image, cluster] : images) clusters.push_back(cluster);
  return clusters;
}

std::optional<double> krippendorff_alpha(const std::vector<Ratings>& ratings) {
  const auto raters = static_cast<double>(ratings.size());
  if (ratings.size() < 2) return std::nullopt;
  double within = 0;  // squared differences of the pairs of an answer
  double count = 0, sum = 0, squares = 0;
  for (size_t q = 0; q < ratings[0].scores.size(); ++q)
    for (size_t m = 0; m < ratings[0].scores[q].size(); ++m) {
      double of_answer = 0, squares_of_answer = 0;
      for (const Ratings& rater : ratings) {
        const double score = rater.scores[q][m];
        of_answer += score;
        squares_of_answer += score * score;
      }
      within += 2 * (raters * squares_of_answer - of_answer * of_answer) / (raters - 1);
      count += raters;
      sum += of_answer;
      squares += squares_of_answer;
    }
  const double between = 2 * (count * squares - sum * sum) / (count - 1);
  if (between == 0) return std::nullopt;
  return 1 - within / between;
}

}  // namespace

size_t tied_models(const std::vector<int>& scores) {
  std::array<size_t, kMostScore + 1> counts = {};
  for (const int score : scores) ++counts.at(static_cast<size_t>(score));
  size_t tied = 0;
  for (const size_t count : counts) tied += count > 1 ? count : 0;
  return tied;
}

std::vector<Ratings> read_ratings(const std::vector<fs::path>& files, const OwlAnswers& answers) {
  InputFaults faults;
  UniqueIds raters;
  std::vector<Ratings> all;
  for (const fs::path& file : files)
    faults.collect([&] {
      all.push_back(read_file(file, answers, &faults));
      raters.add(all.back().rater, file.string(), &faults);
    });
  faults.raise();
  return all;
}

RatingScores score_ratings(const std::vector<Ratings>& ratings, const OwlAnswers& answers) {
  RatingScores scores;
  const size_t models = answers.models.size();
  for (size_t m = 0; m < models; ++m) {
    const auto clusters = sum_by_image(ratings, answers, [&](const std::vector<int>& item) {
      return static_cast<double>(item[m]);
    });
    scores.models.push_back({estimate(clusters, "mean " + answers.models[m].name)});
  }
  for (size_t a = 0; a < models; ++a)
    for (size_t b = a + 1; b < models; ++b) {
      PairRating pair{a, b};
      const auto clusters = sum_by_image(ratings, answers, [&](const std::vector<int>& item) {
        pair.wins += item[a] > item[b];
        pair.ties += item[a] == item[b];
        pair.losses += item[a] < item[b];
        return item[a] > item[b] ? 1.0 : item[a] == item[b] ? 0.5 : 0.0;
      });
      pair.win_rate = estimate(
          clusters, fmt::format("wins {} {}", answers.models[a].name, answers.models[b].name));
      scores.pairs.push_back(pair);
    }
  scores.agreement = krippendorff_alpha(ratings);
  return scores;
}

}  // namespace lynceus::evaluate
