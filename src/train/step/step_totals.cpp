// Packs the values of a rank into the vector, and forms the totals from the reduced one.
#include "train/step/step_totals.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace lynceus::train {
namespace {

bool holds_loss(const Runtime& rt) { return rt.grid.tensor->rank() == 0 && rt.grid.last_stage(); }

/// The vector that is reduced: counts, then a place for each replica, for each rank of replica 0
/// and for each rank of the world.
class StepVector {
 public:
  enum Count { kScored, kTokens, kCut, kDamaged, kSaves, kSaved, kNonfinite, kCounts };

  explicit StepVector(const parallel::GridShape& shape)
      : replicas_(static_cast<size_t>(shape.data)),
        replica_ranks_(static_cast<size_t>(shape.tensor) * static_cast<size_t>(shape.pipeline)),
        values_(kCounts + replicas_ + replica_ranks_ + static_cast<size_t>(shape.world()), 0) {}

  double& count(Count which) { return values_[which]; }
  std::span<double> losses() { return std::span(values_).subspan(kCounts, replicas_); }
  std::span<double> squares() {
    return std::span(values_).subspan(kCounts + replicas_, replica_ranks_);
  }
  std::span<double> patch_tokens() {
    return std::span(values_).subspan(kCounts + replicas_ + replica_ranks_);
  }
  Tensor tensor() {
    return Tensor::borrow(values_.data(), {static_cast<int64_t>(values_.size())}, DType::kF64);
  }

 private:
  size_t replicas_, replica_ranks_;
  std::vector<double> values_;
};

}  // namespace

int64_t StepTotals::patch_tokens() const {
  return std::accumulate(rank_patch_tokens.begin(), rank_patch_tokens.end(), int64_t{0});
}

int64_t StepTotals::most_patch_tokens() const {
  return *std::max_element(rank_patch_tokens.begin(), rank_patch_tokens.end());
}

StepTotals sum_over_ranks(const Runtime& rt, const StepPart& mine, const ReplicaBatch& batch) {
  StepVector vector(rt.grid.shape);
  if (holds_loss(rt)) {
    vector.count(StepVector::kScored) = static_cast<double>(mine.loss.scored);
    vector.losses()[rt.grid.data->rank()] = mine.loss.sum;
  }
  if (rt.grid.replica->rank() == 0) {
    vector.count(StepVector::kTokens) = static_cast<double>(batch.tokens());
    vector.count(StepVector::kCut) = static_cast<double>(batch.cut_tokens);
    vector.count(StepVector::kDamaged) = static_cast<double>(batch.damaged_samples);
  }
  vector.count(StepVector::kSaves) = mine.save_is_due ? 1 : 0;
  vector.count(StepVector::kNonfinite) = mine.finite ? 0 : 1;
  vector.count(StepVector::kSaved) = mine.save_is_finished ? 1 : 0;
  // The reduced gradients are the same in all replicas.
  if (rt.grid.data->rank() == 0) vector.squares()[rt.grid.replica->rank()] = mine.sum_of_squares;
  vector.patch_tokens()[rt.grid.world->rank()] = static_cast<double>(mine.patch_tokens);
  rt.grid.world->all_reduce(vector.tensor());

  const auto count = [&](StepVector::Count which) {
    return static_cast<int64_t>(vector.count(which));
  };
  StepTotals totals;
  totals.loss_sum = sum_pairwise(vector.losses());
  totals.scored_tokens = count(StepVector::kScored);
  totals.squared_norm = sum_pairwise(vector.squares());
  totals.tokens = count(StepVector::kTokens);
  totals.cut_tokens = count(StepVector::kCut);
  totals.damaged_samples = count(StepVector::kDamaged);
  totals.save_is_due = count(StepVector::kSaves) > 0;
  totals.nonfinite_ranks = count(StepVector::kNonfinite);
  totals.save_is_finished = count(StepVector::kSaved) == rt.grid.world->size();
  for (const double tokens : vector.patch_tokens())
    totals.rank_patch_tokens.push_back(static_cast<int64_t>(tokens));
  return totals;
}

StepLoss share_loss(const Runtime& rt, const StepLoss& mine) {
  double values[3] = {};
  if (holds_loss(rt)) {
    values[0] = mine.sum;
    values[1] = static_cast<double>(mine.scored);
    values[2] = static_cast<double>(mine.correct);
  }
  rt.grid.replica->all_reduce(Tensor::borrow(values, {3}, DType::kF64));
  return {values[0], static_cast<int64_t>(values[1]), static_cast<int64_t>(values[2])};
}

double sum_pairwise(std::span<const double> values) {
  if (values.empty()) return 0;
  const size_t extra = values.size() - std::bit_floor(values.size());
  std::vector<double> sums;
  for (size_t i = 0; i < extra; ++i) sums.push_back(values[2 * i] + values[2 * i + 1]);
  sums.insert(sums.end(), values.begin() + static_cast<std::ptrdiff_t>(2 * extra), values.end());
  while (sums.size() > 1) {
    for (size_t i = 0; 2 * i < sums.size(); ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
    sums.resize(sums.size() / 2);
  }
  return sums.front();
}

}  // namespace lynceus::train
