// The answers to train.sample_prompts: at each validation the model that is being trained answers a
// few rows with greedy decoding, on the grid of the run. It is not frozen, so the last bits of its
// logits may depend on the grid and on the other rows of the batch, as those of a validation do.
#pragma once

#include <string>
#include <vector>

#include "generate/rows/generate.h"
#include "train/metrics/sample_answers.h"
#include "train/run/run_config.h"

namespace lynceus::generate {

constexpr size_t kMostSamplePrompts = 64;  ///< of a file: training waits for the answers

class PromptAnswers : public train::SampleAnswers {
 public:
  /// Collective over the world; errors are agreed. `data` outlives this. Rows that cannot be
  /// answered are warnings: without a question, with media that cannot be read, too long.
  /// InputError if no other row is left, or if there are more than kMostSamplePrompts.
  PromptAnswers(const Runtime& rt, const train::RunConfig& config, const train::RunData& data,
                VideoFrames videos);

  std::string answer(const Runtime& rt, const model::LynxModel& model, int64_t step) override;

 private:
  /// The problems that can be found before there is a model, as Row::problem. On rank 0.
  void find_problems(const model::ModelConfig& model);

  std::string file_;
  std::vector<Row> rows_;
  Conversation conversation_;
  MediaReader media_;
  AnswerOptions options_;
};

}  // namespace lynceus::generate
