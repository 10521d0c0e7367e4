#include "evaluate/compare/mme_score.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lynceus::evaluate {
namespace {

/// Questions of one picture in one task.
struct Picture {
  double questions = 0;
  double right[2] = {0, 0};  // of the first and of the second system
};

// Columns of the sums of one task.
enum Column : size_t {
  kQuestions,
  kPictures,
  kRight,
  kAllRight = kRight + 2,
  kColumns = kAllRight + 2
};

double score_in(std::span<const double> sums, size_t system) {
  double score = 0;
  for (size_t task = 0; task < sums.size(); task += kColumns)
    score += 100 * (sums[task + kRight + system] / sums[task + kQuestions] +
                    sums[task + kAllRight + system] / sums[task + kPictures]);
  return score;
}

/// Not a number if a resample has no picture of a task.
double difference_in(std::span<const double> sums) { return score_in(sums, 1) - score_in(sums, 0); }

ClusterSums sums_of(std::span<const ItemPair> pairs) {
  std::map<std::string, size_t> tasks;
  std::map<std::pair<std::string, std::string>, Picture> pictures;  // by task and media
  for (const ItemPair& pair : pairs) {
    tasks.emplace(pair.first->task, tasks.size());
    Picture& picture = pictures[{pair.first->task, cluster_of(*pair.first)}];
    picture.questions += 1;
    picture.right[0] += score_of(*pair.first, true);
    picture.right[1] += score_of(*pair.second, true);
  }
  ClusterSums sums(tasks.size() * kColumns);
  for (const auto& [place, picture] : pictures) {
    std::vector<double> row(sums.columns());
    double* task = row.data() + tasks.at(place.first) * kColumns;
    task[kQuestions] = picture.questions;
    task[kPictures] = 1;
    for (size_t system : {0, 1}) {
      task[kRight + system] = picture.right[system];
      task[kAllRight + system] = picture.right[system] == picture.questions ? 1 : 0;
    }
    // A picture of two tasks is drawn once for both.
    sums.add(place.second, row);
  }
  return sums;
}

}  // namespace

double mme_score(std::span<const Item* const> items) {
  std::vector<ItemPair> pairs;
  for (const Item* item : items) pairs.push_back({item, item});
  return score_in(sums_of(pairs).totals(), 0);
}

PairedFigure compare_mme_scores(std::span<const ItemPair> pairs, const BootstrapOptions& options) {
  const ClusterSums sums = sums_of(pairs);
  const std::vector<double> totals = sums.totals();
  return {score_in(totals, 0), score_in(totals, 1),
          bootstrap_interval(sums, difference_in, options)};
}

}  // namespace lynceus::evaluate
