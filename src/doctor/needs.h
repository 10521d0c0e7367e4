// What a config needs: memory of a rank, size of a checkpoint, sizes of messages. Formulas:
// docs/sizes.md. Nothing is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "train/run/run_config.h"

namespace lynceus::doctor {

struct Needs {
  int64_t rank_bytes = 0;        ///< of this rank at least; 0: no model is known
  int64_t checkpoint_bytes = 0;  ///< of one checkpoint, the same on every grid
  int64_t parameters = 0;        ///< of the complete model
  // Largest messages of a step, bytes; 0: none.
  int64_t activation_bytes = 0;       ///< of a micro-batch: tensor groups and pipeline
  int64_t gradient_bytes = 0;         ///< a bucket of the LLM's or the adapters': data groups
  int64_t bridge_gradient_bytes = 0;  ///< a bucket of the bridge's: the world
  int64_t visual_bytes = 0;           ///< visual tokens of an image: replica groups

  /// Of the group with this name (parallel/grid.h).
  int64_t message_bytes(const std::string& group) const;
};

/// For a valid config. A vocabulary that is not known counts as LLaMA's. Reads no file. UsageError
/// if the layout does not fit the grid.
Needs needs_of(const Runtime& rt, const train::RunConfig& config);

/// Whether the config of the run is complete and fits files and grid, as far as it is given: with a
/// tokenizer everything that `train` checks before it allocates, otherwise the layout alone.
/// Errors are thrown. Not collective.
void resolve_model(train::RunConfig* config, ConfigReader* reader, const Runtime& rt);

}  // namespace lynceus::doctor
