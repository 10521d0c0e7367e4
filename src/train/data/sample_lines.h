// What each step was made of, sample by sample: a table that does not depend on the layout of
// ranks, on threads or on how often the run was resumed. Used by the trainer for log.samples.
#pragma once

#include <string>
#include <vector>

#include "train/data/batch_loader.h"

namespace lynceus::train {

/// STEP, INDEX in the run, DATASET, KEY, digest of tokens and of which are scored, digest of all
/// pixels (- where there are none), by tabs, a line a sample of the global batch, by index. Digests
/// are XXH3-64, of 32-bit tokens and of f32 pixels. On world rank 0; "" on the others. Collective.
std::string sample_lines(const Runtime& rt, int64_t step, const PreparedStep& prepared,
                         const std::vector<const io::Dataset*>& datasets);

}  // namespace lynceus::train
