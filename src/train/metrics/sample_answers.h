// What the model that is being trained answers to the rows of train.sample_prompts, at each
// validation: lines of sample_answers.jsonl. The trainer knows only this
// interface; generate/rows/prompt_answers.h implements it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "model/lynx.h"
#include "train/data/run_data.h"

namespace lynceus::train {

struct RunConfig;

class SampleAnswers {
 public:
  virtual ~SampleAnswers() = default;

  /// Collective over the world. `model` is as it is trained, on the grid of the run, and is not
  /// changed; nothing is drawn at random. On rank 0 a line for each row that has an answer:
  ///   {"step": STEP, "row": NUMBER, "prompt": {the row as it is}, "answer": TEXT}
  /// with the number of the row from 0; elsewhere nothing.
  virtual std::string answer(const Runtime& rt, const model::LynxModel& model, int64_t step) = 0;
};

/// Collective over the world; errors are agreed. Reads train.sample_prompts: rows that cannot be
/// answered are warnings, InputError if no other is left.
using MakeSampleAnswers = std::function<std::unique_ptr<SampleAnswers>(
    const Runtime& rt, const RunConfig& config, const RunData& data)>;

}  // namespace lynceus::train
