// The model, tokenizer and prompt template of a run's checkpoint, or of a file of weights, for a
// command that answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/runtime.h"
#include "core/config/config.h"
#include "io/text/prompt_files.h"
#include "io/text/tokenizer.h"
#include "model/lynx.h"
#include "train/data/run_data.h"
#include "train/run/run_config.h"

namespace lynceus::cli {

/// What --checkpoint and --run mean.
struct CheckpointChoice {
  std::string run;           // empty: a file of weights
  std::string resume;        // auto, or the step
  std::string weights_file;  // without a run
};

/// InputError if `checkpoint` is none of: a run, one of its checkpoints, a file of weights.
CheckpointChoice choose_checkpoint(const std::string& checkpoint);

/// A model that is loaded and frozen, and what its prompts are made with.
struct AnsweringRun {
  train::RunConfig config;
  train::RunData data;  // with the held-out datasets, if they are asked for
  model::LynxModel model;
  int64_t step = 0;
  std::string weights;     // digests of LLM and vision encoder, or where they come from
  std::string checkpoint;  // "step 100 DIGEST", or the digest of the file of weights
};

/// Collective. `config`, which `reader` fills, was read from the command line and, if there is a
/// run, from its config.ini. `with_data`: opens the datasets of data.validation.
AnsweringRun open_answering_run(const Runtime& rt, train::RunConfig* config, ConfigReader* reader,
                                const CheckpointChoice& choice, bool with_data);

}  // namespace lynceus::cli
