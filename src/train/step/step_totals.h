// What a step sums over ranks: one vector, reduced once over the world. Every place of it has
// either one writer or adds integers below 2^53, so the reduction is exact in f64 in any order of
// additions. Sums of f64 numbers are formed afterwards from the values of the ranks, on every rank
// in the same order: they have the same bits everywhere and do not depend on the MPI library.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/data/replica_batch.h"

namespace lynceus::train {

/// Sums over scored rows.
struct StepLoss {
  double sum = 0;
  int64_t scored = 0;
  int64_t correct = 0;
};

/// Of the global batch; the same on every rank.
struct StepTotals {
  double loss_sum = 0;  ///< over the scored tokens
  int64_t scored_tokens = 0;
  double squared_norm = 0;                 ///< of the gradient of loss_sum
  int64_t tokens = 0;                      ///< rows of all micro-batches
  int64_t cut_tokens = 0;                  ///< text tokens that data.max_tokens cut off
  int64_t damaged_samples = 0;             ///< samples with damaged media: replaced and not scored
  bool save_is_due = false;                ///< StepPart::save_is_due of any rank
  int64_t nonfinite_ranks = 0;             ///< ranks without StepPart::finite
  bool save_is_finished = false;           ///< StepPart::save_is_finished of all ranks
  std::vector<int64_t> rank_patch_tokens;  ///< that each rank encoded, by rank of the world

  int64_t patch_tokens() const;
  int64_t most_patch_tokens() const;
};

/// What one rank contributes.
struct StepPart {
  StepLoss loss;                  ///< of its replica; counts on tensor rank 0 of the last stage
  double sum_of_squares = 0;      ///< of the gradients that it counts; counts on replica 0
  int64_t patch_tokens = 0;       ///< that it encoded
  bool save_is_due = false;       ///< by its clock, a checkpoint after this step
  bool save_is_finished = false;  ///< its part of the save that ran during the step
  bool finite = true;             ///< its losses and all gradients that it holds
};

/// Collective over the world. `batch` is the same on all ranks of a replica.
StepTotals sum_over_ranks(const Runtime& rt, const StepPart& mine, const ReplicaBatch& batch);

/// The loss of a replica on all its ranks, from tensor rank 0 of the last stage. Collective over
/// the replica.
StepLoss share_loss(const Runtime& rt, const StepLoss& mine);

/// Σ values: neighbours are added, then neighbouring sums, and so on. Where the count is no power
/// of two, pairs at the beginning are added first until it is one. 0 without values.
double sum_pairwise(std::span<const double> values);

}  // namespace lynceus::train
