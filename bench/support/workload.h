// The samples of a measured step, and the work that each asks for, whoever computes it.
// bench/peers/workload.py has the same samples: it is the same function of the seed.
#pragma once

#include <vector>

#include "model/config.h"
#include "train/data/replica_batch.h"

namespace lynceus::bench {

/// One sample as far as it costs anything.
struct SampleSize {
  int64_t frames = 1;  ///< pictures: 0 text alone, 1 an image, more a video
  int64_t text = 0;    ///< tokens of text
};

/// `count` samples of one picture and `text` tokens.
std::vector<SampleSize> equal_samples(int64_t count, int64_t text);

/// A mix as of Lynx's second stage: 30 % text alone, 15 % videos of `video_frames`, the rest
/// images; lengths of text log-normal, cut to a range: text alone 160 (deviation of the logarithm
/// 0.7) in 16..512, images 40 (0.6) in 8..160, videos 32 (0.5) in 8..96. A pure function of the
/// seed.
std::vector<SampleSize> mixed_samples(int64_t count, int64_t video_frames, uint64_t seed);

/// The samples with random text, all of it scored but the first token. `step` draws the text.
std::vector<train::SampleInput> with_text(const std::vector<SampleSize>& sizes, int64_t vocab_size,
                                          uint64_t seed, int64_t step);

/// Rows of the LLM that the samples have together.
int64_t rows_of(const model::ModelConfig& config, const std::vector<SampleSize>& sizes);

/// Multiplications and additions that one sample asks for: ViT forward; LLM forward and input
/// gradients; three times forward for what is trained; attention over whole rows of scores, twice
/// more in backward; the head on the text rows.
double required_flops(const model::ModelConfig& config, const SampleSize& sample);
double required_flops(const model::ModelConfig& config, const std::vector<SampleSize>& samples);

}  // namespace lynceus::bench
