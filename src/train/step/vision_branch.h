// The vision branch of a step (DESIGN "One step", 3 and 5): all ranks of a replica encode their
// share of its media, a grouped exchange takes the visual tokens to the first stage, and their
// gradients come back to the rank that made them, each exactly once.
#pragma once

#include <functional>

#include "model/lynx.h"
#include "train/data/replica_batch.h"

namespace lynceus::train {

/// The pixels of a sample's whole media, [frames, 3, side, side]; called only for samples whose
/// media this rank encodes.
using PixelSource = std::function<Tensor(int64_t sample)>;

struct VisionBranchSaved {
  model::Bridge::Saved bridge;
  bool any = false;
};

/// What a rank encoded, for reports and tests.
struct VisionCounts {
  int64_t items = 0;
  int64_t patch_tokens = 0;
};

/// Encodes this rank's media of a batch on the stream of `beside` (Runtime::on), before its step
/// and beside what rt.stream does, for vision_forward to find: the encoder is frozen, so not a bit
/// changes. `pixels` are read before it returns, or lie in pinned memory. Not collective.
void encode_ahead(const Runtime& rt, const Runtime& beside, const model::LynxModel& model,
                  ReplicaBatch* batch, const PixelSource& pixels);

/// Collective over grid.replica. -> the window's visual tokens [visual tokens, hidden] on the first
/// stage, undefined elsewhere.
Tensor vision_forward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                      const PixelSource& pixels, VisionBranchSaved* saved, VisionCounts* counts);

/// Collective over grid.replica. dvisual [visual tokens, hidden] on the first stage. Adds to the
/// bridge's gradients on the ranks that own items; to be summed over the world. Nothing to do where
/// the bridge is frozen: then forward saves nothing either.
void vision_backward(const Runtime& rt, const model::LynxModel& model, const VisionWindow& window,
                     const VisionBranchSaved& saved, const Tensor& dvisual);

}  // namespace lynceus::train
