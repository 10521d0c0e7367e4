// The samples of a measured step, and the operations that each requires, independent of the
// implementation. bench/peers/workload.py draws the same samples from the same seed.
#pragma once

#include <vector>

#include "model/config.h"
#include "train/data/replica_batch.h"

namespace lynceus::bench {

/// The properties of a sample that determine its cost.
struct SampleSize {
  int64_t frames = 1;  ///< 0: text only, 1: an image, more: a video
  int64_t text = 0;    ///< tokens of text
};

/// `count` samples with one image and `text` tokens.
std::vector<SampleSize> equal_samples(int64_t count, int64_t text);

/// A mix like that of Lynx's second stage: 30 % text only, 15 % videos of `video_frames`, the rest
/// images; text lengths log-normal, clipped to a range: text only 160 (deviation of the logarithm
/// 0.7) in 16..512, images 40 (0.6) in 8..160, videos 32 (0.5) in 8..96. A pure function of the
/// seed.
std::vector<SampleSize> mixed_samples(int64_t count, int64_t video_frames, uint64_t seed);

/// The samples with random text that depends on `step`; all tokens except the first are scored.
std::vector<train::SampleInput> with_text(const std::vector<SampleSize>& sizes, int64_t vocab_size,
                                          uint64_t seed, int64_t step);

/// The rows of the LLM for all samples.
int64_t rows_of(const model::ModelConfig& config, const std::vector<SampleSize>& sizes);

/// Multiplications and additions that one sample requires: ViT forward; LLM forward and input
/// gradients; three times the forward for trained parts; attention over complete rows of scores,
/// twice more in backward; the head on the text rows.
double required_flops(const model::ModelConfig& config, const SampleSize& sample);
double required_flops(const model::ModelConfig& config, const std::vector<SampleSize>& samples);

}  // namespace lynceus::bench
