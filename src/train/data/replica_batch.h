// From samples to micro-batches: what one replica works on in one step. Pure functions of their
// arguments: every rank of the replica computes the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "model/lynx.h"
#include "model/packed_batch.h"
#include "parallel/runtime.h"
#include "train/config.h"

namespace lynceus::train {

/// Which parameters the global batch of a step reaches, known from its plan.
struct GlobalReach {
  bool any_sample = false;
  bool any_media = false;
  bool any_video = false;
  bool reaches(model::Reach reach) const {
    return reach == model::Reach::kAnySample  ? any_sample
           : reach == model::Reach::kAnyMedia ? any_media
                                              : any_video;
  }
};

/// The pixels of all media of a sample, [frames, 3, side, side]; called only for samples whose
/// media this rank encodes.
using PixelSource = std::function<Tensor(int64_t sample)>;

/// One sample as tokens. The rows of its sequence are its visual tokens, then its text.
struct SampleInput {
  int64_t index = 0;                 ///< in the global batch
  std::vector<int64_t> item_frames;  ///< of each media item: 1 for an image
  bool is_video = false;             ///< frames get their position embedding
  std::vector<int32_t> token_ids;    ///< [text]
  std::vector<uint8_t> scored;       ///< [text]: token i is a target (of the row before it)
  std::vector<int32_t> positions;    ///< [visual + text]; empty: 0, 1, 2, ...

  int64_t frames() const;
};

/// One media item and the rank that encodes it.
struct MediaItem {
  int64_t sample = 0;       ///< position in ReplicaBatch::samples
  int64_t first_frame = 0;  ///< in the sample's pixels
  int64_t frames = 1;
  bool is_video = false;
  int64_t micro_batch = 0;
  int64_t visual_begin = 0;  ///< first row in the window's visual tokens
  int64_t visual_count = 0;
  int owner = 0;  ///< rank in grid.replica
};

/// Patch features of this rank's media of a window, computed on a side stream.
struct EncodedMedia {
  Tensor features;  ///< [Σ patch tokens, vision width]; a stream must wait for `ready` first
  parallel::Pending ready;
};

/// Micro-batches whose media is encoded together.
struct VisionWindow {
  int first_micro_batch = 0;
  int micro_batches = 0;
  std::vector<MediaItem> items = {};
  int64_t visual_tokens = 0;
  std::shared_ptr<EncodedMedia> encoded = {};  ///< null: not encoded before the step
};

struct ReplicaBatch {
  std::vector<SampleInput> samples;
  std::vector<model::PackedBatch> micro_batches;
  std::vector<VisionWindow> windows;
  int64_t cut_tokens = 0;       ///< text tokens that data.max_tokens cut off
  int64_t damaged_samples = 0;  ///< samples with damaged media: replaced and not scored

  /// Rows of all micro-batches.
  int64_t tokens() const;
};

struct BatchLimits {
  int64_t micro_batch_tokens = kMicroBatchTokens;  ///< a longer sample is a micro-batch of its own
  int64_t vision_window = 0;                       ///< micro-batches per window; 0: all
};

BatchLimits batch_limits(const TrainConfig& config);

/// Packs samples in order, lays out sequences, spreads the media over the `ranks` ranks of the
/// replica. The unit is all media of one sample and its cost is the number of its patch tokens.
/// Windows are spread one after another (train/data/balance.h), so over the step no rank has more
/// than the mean plus the largest unit.
ReplicaBatch make_replica_batch(const Runtime& rt, const model::ModelConfig& config,
                                std::vector<SampleInput> samples, const BatchLimits& limits,
                                int ranks);

}  // namespace lynceus::train
