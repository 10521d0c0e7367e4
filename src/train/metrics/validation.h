// Validation: loss, scored-token accuracy and answer accuracy of held-out sets, by set and task. An
// answer is right if each of its scored tokens has the largest logit (of equal ones the first, as
// in argmax) given the true tokens before it, i.e. if greedy decoding would produce exactly this
// answer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/dataset/answer_counts.h"
#include "train/data/batch_loader.h"
#include "train/metrics/metrics.h"
#include "train/metrics/predictions.h"
#include "train/step/step.h"

namespace lynceus::train {

struct TaskScore {
  int64_t samples = 0;          ///< with at least one scored token
  int64_t damaged_samples = 0;  ///< with damaged media: replaced and not scored
  int64_t scored_tokens = 0;
  int64_t correct_tokens = 0;
  int64_t correct_answers = 0;
  double loss_sum = 0;
  io::AnswerCounts answers;  ///< first assistant turn of each sample

  double loss() const;
  double token_accuracy() const;
  double answer_accuracy() const;
  /// Share of the most frequent answer, 0 to 1.
  double baseline() const { return answers.baseline(); }
};

/// The score of the samples of one task in one set.
struct SetScore {
  std::string set;   ///< NAME of data.validation
  std::string task;  ///< of the dataset shards
  TaskScore score;
};

/// As in metrics.jsonl and in the lines of `evaluate`: set, class, samples, damaged_samples, loss,
/// token_accuracy, answer_accuracy, baseline.
Metrics to_metrics(const SetScore& score);

struct ValidationOptions {
  int64_t samples = 0;                   ///< the first ones of every dataset; 0: all
  int64_t batch_size = 1;                ///< over all replicas
  PredictionSink predictions = {};       ///< empty: not wanted; on all ranks or on none
  std::function<void()> begins_batch{};  ///< called before each batch is computed
};

/// The batch size of a validation, at most `global_batch_size`: a few samples for each stage of
/// each replica. Between two batches a validation can be left, so a batch takes about as long as a
/// micro-batch, however large the batches of training are.
int64_t validation_batch_size(const Runtime& rt, int64_t global_batch_size);

/// Collective over the world: scores of the datasets of the loader, in their order and then by
/// task; the same on every rank. Samples with damaged media are logged as warnings. AgreedError of
/// kRequeue if a rank is asked to stop meanwhile.
std::vector<SetScore> validate(const Runtime& rt, const model::LynxModel& model,
                               BatchLoader* loader, const std::vector<const io::Dataset*>& datasets,
                               const ValidationOptions& options);

}  // namespace lynceus::train
