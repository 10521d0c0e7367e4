// Where the values of a step that are not finite arose. The step is computed again, without sums
// over replicas, and every rank looks at what it receives and computes. Costs a step and a few
// collectives; for bad steps only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/data/batch_loader.h"
#include "train/step/step.h"

namespace lynceus::train {

struct NonfiniteOrigin {
  /// The first of these that applies to any rank.
  enum class Place {
    kValues,    ///< trained values or moments are not finite: the state itself is damaged
    kEncoder,   ///< visual tokens, from vision encoder and bridge
    kForward,   ///< the layers' forward pass or the loss
    kBackward,  ///< the layers' backward pass
    kBridge,    ///< the bridge's backward pass
    kNone,      ///< computed again, everything was finite
  };
  Place place = Place::kNone;
  std::vector<int> ranks;               ///< of the world, ascending; kNone: those with bad sums
  std::vector<std::string> parameters;  ///< affected on these ranks, the last of the model first
  /// By index in the run, "dataset key": samples of the micro-batches concerned; kValues: none.
  std::map<int64_t, std::string> samples;
};

/// "backward", for metrics.jsonl.
const char* name_of(NonfiniteOrigin::Place place);
/// "in the backward pass", for a sentence that begins with "values arose".
const char* describe(NonfiniteOrigin::Place place);

/// Collective over the world, after try_step() of `prepared`; the same on all ranks. The gradient
/// buffers have no meaning afterwards.
NonfiniteOrigin find_origin(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                            PreparedStep* prepared, const StepResult& result,
                            const StepOptions& options,
                            const std::vector<const io::Dataset*>& datasets);

}  // namespace lynceus::train
