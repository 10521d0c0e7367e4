// What people gave the answers to OwlEval: scores from 1 to 5, correctness before richness. Rules
// of the Lynx paper: on an item at most two models have the same score, and at most ten items of a
// rater have such a tie.
//
// A filled sheet is saved as one JSON file:
//   {"format": "lynceus owleval ratings", "version": 1, "sheet": DIGEST, "seed": "1",
//    "rater": NAME, "scores": {"QUESTION_ID": [SCORE, ...], ...}}
// with the scores in the order in which the sheet showed the answers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/owleval/answers.h"

namespace lynceus::evaluate {

constexpr const char* kRatingsFormat = "lynceus owleval ratings";
constexpr int kMostScore = 5;
constexpr size_t kMostTiedModels = 2;
constexpr int kMostTies = 10;

struct Ratings {
  std::string rater;
  std::vector<std::vector<int>> scores;  ///< [question][model], 1 to 5
};

/// Number of models that share their score with another one.
size_t tied_models(const std::vector<int>& scores);

/// Ratings of the sheet with these answers, one for each file. InputError that lists all faults: a
/// file of another sheet, missing or unknown items, scores out of range, ties over the limits, two
/// files of one rater.
std::vector<Ratings> read_ratings(const std::vector<std::filesystem::path>& files,
                                  const OwlAnswers& answers);

struct Estimate {
  double value = 0;
  /// 95 % of 10,000 bootstrap samples of images, percentiles. Counter-based, so always the same.
  /// Absent with one image.
  std::optional<double> low = {}, high = {};
};

struct ModelRating {
  Estimate mean;  ///< over questions and raters
};

/// Of two models, a before b: how often a has the larger, an equal, the smaller score.
struct PairRating {
  size_t a = 0, b = 0;  ///< models
  int64_t wins = 0, ties = 0, losses = 0;
  Estimate win_rate = {};  ///< (wins + ties / 2) / all
};

struct RatingScores {
  std::vector<ModelRating> models;
  std::vector<PairRating> pairs;
  /// Krippendorff's alpha of interval data over all answers (Krippendorff, Computing Krippendorff's
  /// Alpha-Reliability, 2011): 1 is full agreement, 0 chance. Absent with one rater, or if all
  /// scores are equal.
  std::optional<double> agreement;
};

/// `ratings`: at least one.
RatingScores score_ratings(const std::vector<Ratings>& ratings, const OwlAnswers& answers);

}  // namespace lynceus::evaluate
