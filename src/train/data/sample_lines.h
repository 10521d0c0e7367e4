// The table of log.samples: every sample of every step. It does not depend on the layout of ranks,
// on threads or on how often the run was resumed.
#pragma once

#include <string>
#include <vector>

#include "train/data/batch_loader.h"

namespace lynceus::train {

/// One line per sample of the global batch, ordered by index, with columns separated by tabs: STEP,
/// INDEX in the run, DATASET, KEY, digest of the tokens and of which are scored, digest of all
/// pixels
/// (- if there are none). Digests are XXH3-64, of 32-bit tokens and of f32 pixels. Returned on
/// world rank 0, "" on the others. Collective over the world.
std::string sample_lines(const Runtime& rt, int64_t step, const PreparedStep& prepared,
                         const std::vector<const io::Dataset*>& datasets);

}  // namespace lynceus::train
