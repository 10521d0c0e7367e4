// The training loop: steps, metrics, validation, checkpoints, requests to stop.
#pragma once

#include "core/config/config.h"
#include "train/metrics/sample_answers.h"
#include "train/run/run_config.h"

namespace lynceus::train {

/// Collective over the world. `reader` has filled `config`; what files decide is resolved in it,
/// and it supplies the values of config.ini and of the manifests. Returns kDone, or kRequeue after
/// a stop on request; errors are agreed. `make_sample_answers`: needed for train.sample_prompts.
ExitCode train(const Runtime& rt, RunConfig* config, ConfigReader* reader,
               const MakeSampleAnswers& make_sample_answers = {});

}  // namespace lynceus::train
