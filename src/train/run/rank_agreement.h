// All ranks of a run must have the same program, configuration and data.
#pragma once

#include "train/run/run_state.h"

namespace lynceus::train {

/// AgreedError (kUsage) naming rank and key if program, tokenizer, datasets or configuration differ
/// between ranks. Collective over the world.
void check_same_everywhere(const Runtime& rt, const RunIdentity& identity);

}  // namespace lynceus::train
