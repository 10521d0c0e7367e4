// Validation: loss, scored-token accuracy and answer accuracy of held-out sets, by task. An answer
// is right if each of its scored tokens has the largest logit (of equal ones the first, as in
// argmax) given the true tokens before it, i.e. if greedy decoding would produce exactly this
// answer.
#pragma once

#include <map>
#include <string>

#include "io/dataset/answer_counts.h"
#include "train/data/batch_loader.h"
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

/// Collective over the world: scores of the first `samples` (0: all) samples of every dataset of
/// the loader, by the task of the dataset shards; the same on every rank. Samples with damaged
/// media are logged as warnings. AgreedError of kRequeue if a rank is asked to stop meanwhile.
std::map<std::string, TaskScore> validate(const Runtime& rt, const model::LynxModel& model,
                                          BatchLoader* loader,
                                          const std::vector<const io::Dataset*>& datasets,
                                          int64_t samples, int64_t batch_size);

}  // namespace lynceus::train
