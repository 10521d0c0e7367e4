// From samples to micro-batches: what one replica works on in one step. Pure functions of their
// arguments: every rank of the replica computes the same.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/config.h"
#include "model/packed_batch.h"
#include "parallel/runtime.h"

namespace lynceus::train {

/// One sample as tokens. The rows of its sequence are its visual tokens, then its text.
struct SampleInput {
  int64_t index = 0;                 ///< in the global batch
  std::vector<int64_t> item_frames;  ///< pictures of each media item; one item: an image or a video
  bool is_video = false;             ///< frames get their position embedding
  std::vector<int32_t> token_ids;    ///< [text]
  std::vector<uint8_t> scored;       ///< [text]: token i is a target (of the row before it)
  std::vector<int32_t> positions;    ///< [visual + text]; empty: 0, 1, 2, ...

  int64_t frames() const;
};

/// One media item and who encodes it.
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

/// What the frozen encoder made of this rank's media of a window, beside other work.
struct EncodedMedia {
  Tensor features;  ///< [Σ vision tokens, vision width], for the stream that waits for `ready`
  parallel::Pending ready;
};

/// Micro-batches whose media is encoded together.
struct VisionWindow {
  int first_micro_batch = 0;
  int micro_batches = 0;
  std::vector<MediaItem> items = {};
  int64_t visual_tokens = 0;
  std::shared_ptr<EncodedMedia> encoded = {};  ///< null: not ahead of the step
};

struct ReplicaBatch {
  std::vector<SampleInput> samples;
  std::vector<model::PackedBatch> micro_batches;
  std::vector<VisionWindow> windows;
};

struct BatchLimits {
  int64_t micro_batch_tokens =
      4096;                   ///< a micro-batch is filled up to this; a longer sample is alone
  int64_t vision_window = 0;  ///< micro-batches a window; 0: all
};

/// Packs samples in order, lays out sequences, spreads the media over the `ranks` ranks of the
/// replica: the unit is one sample's whole media, its work patch tokens, spread window after window
/// (train/data/balance.h), so over the step no rank has more than the mean plus the largest unit.
ReplicaBatch make_replica_batch(const Runtime& rt, const model::ModelConfig& config,
                                std::vector<SampleInput> samples, const BatchLimits& limits,
                                int ranks);

}  // namespace lynceus::train
