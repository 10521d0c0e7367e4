// The vision branch of a step. All ranks of a replica encode their share of its media, and a
// grouped exchange sends the visual tokens to the first stage. In the backward pass their gradients
// return to the rank that computed them, each exactly once.
#pragma once

#include <functional>

#include "model/lynx.h"
#include "train/data/replica_batch.h"

namespace lynceus::train {

struct VisionBranchSaved {
  model::Bridge::Saved bridge;
  bool any = false;
};

/// What a rank encoded, for reports and tests.
struct VisionCounts {
  int64_t items = 0;
  int64_t patch_tokens = 0;
};

/// Prepares to encode this rank's media of a batch before its step. The result does it, on the
/// stream of `side` (Runtime::on), concurrently with the work of rt.stream; it may be called on
/// another thread, once, before the step, whose vision_forward then uses what it encoded. It keeps
/// rt, side, model and batch by reference, and pixels. The encoder is frozen, so every bit is the
/// same. Not collective.
std::function<void()> encode_ahead(const Runtime& rt, const Runtime& side,
                                   const model::LynxModel& model, ReplicaBatch* batch,
                                   const PixelSource& pixels);

/// Collective over grid.replica. -> the window's visual tokens [visual tokens, hidden] on the first
/// stage, undefined elsewhere.
Tensor vision_forward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                      const PixelSource& pixels, VisionBranchSaved* saved, VisionCounts* counts);

/// Collective over grid.replica. dvisual [visual tokens, hidden] on the first stage. Adds to the
/// bridge's gradients on the ranks that own items; these must then be summed over the world. Does
/// nothing where the bridge is frozen; then vision_forward saves nothing either.
void vision_backward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                     const VisionBranchSaved& saved, const Tensor& dvisual);

}  // namespace lynceus::train
