// Sizes of samples, their text, and the operations they require.
#include "support/workload.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace lynceus::bench {
namespace {

double real(int64_t value) { return static_cast<double>(value); }

/// Of one image.
double encoder_flops(const model::VisionConfig& vision) {
  const double patches = real(vision.tokens_per_image()), width = real(vision.hidden_size);
  const double patch = 3 * real(vision.patch_size * vision.patch_size);
  const double block = patches * (4 * width * width + 2 * width * real(vision.intermediate_size)) +
                       2 * patches * patches * width;
  return 2 * ((patches - 1) * patch * width + real(vision.num_layers) * block);
}

double bridge_flops(const model::ModelConfig& config, double latents, double media_tokens) {
  if (config.bridge.kind != "resampler") return 0;
  const double hidden = real(config.llm.hidden_size), width = real(config.vision.hidden_size);
  const double inner = real(config.bridge.num_heads * config.bridge.head_dim);
  const double layer = latents * (2 * hidden * inner +
                                  2 * hidden * hidden * real(config.bridge.intermediate_factor)) +
                       media_tokens * 2 * width * inner + 2 * latents * media_tokens * inner;
  return 6 * real(config.bridge.num_layers) * layer;
}

double decoder_flops(const model::ModelConfig& config, double tokens, double text) {
  const model::LlmConfig& llm = config.llm;
  const double hidden = real(llm.hidden_size);
  const double kv_width = real(llm.kv_heads() * llm.head_dim());
  const double weights =
      2 * hidden * (hidden + kv_width) + 3 * hidden * real(llm.intermediate_size);
  const double attention = 2 * tokens * tokens * hidden;
  const double passes = llm.trains("llm") ? 6 : 4;
  double flops = real(llm.num_layers) * (passes * tokens * weights + 6 * attention) +
                 passes * text * hidden * real(llm.vocab_size);
  for (int64_t layer = 0; layer < llm.num_layers; ++layer)
    if (config.adapter.at_layer(layer))
      flops +=
          (llm.trains("adapter") ? 6 : 4) * tokens * 2 * hidden * real(config.bottleneck_size());
  return flops;
}

/// exp(normal) around `middle`, clipped to a range.
int64_t draw_length(const CounterRandom& random, int64_t index, double middle, double deviation,
                    int64_t least, int64_t most) {
  const double value = middle * std::exp(deviation * random.normal(static_cast<uint64_t>(index)));
  return std::clamp(static_cast<int64_t>(std::floor(value)), least, most);
}

}  // namespace

std::vector<SampleSize> equal_samples(int64_t count, int64_t text) {
  return std::vector<SampleSize>(static_cast<size_t>(count), SampleSize{1, text});
}

std::vector<SampleSize> mixed_samples(int64_t count, int64_t video_frames, uint64_t seed) {
  const CounterRandom kind(seed, "mix kind"), length(seed, "mix length");
  std::vector<SampleSize> samples;
  for (int64_t i = 0; i < count; ++i) {
    const double drawn = kind.uniform(static_cast<uint64_t>(i));
    if (drawn < 0.30)
      samples.push_back({0, draw_length(length, i, 160, 0.7, 16, 512)});
    else if (drawn < 0.45)
      samples.push_back({video_frames, draw_length(length, i, 32, 0.5, 8, 96)});
    else
      samples.push_back({1, draw_length(length, i, 40, 0.6, 8, 160)});
  }
  return samples;
}

std::vector<train::SampleInput> with_text(const std::vector<SampleSize>& sizes, int64_t vocab_size,
                                          uint64_t seed, int64_t step) {
  const CounterRandom random(seed, fmt::format("text {}", step));
  std::vector<train::SampleInput> samples(sizes.size());
  uint64_t index = 0;
  for (size_t s = 0; s < sizes.size(); ++s) {
    train::SampleInput& sample = samples[s];
    sample.index = static_cast<int64_t>(s);
    if (sizes[s].frames > 0) sample.item_frames = {sizes[s].frames};
    sample.is_video = sizes[s].frames > 1;
    for (int64_t i = 0; i < sizes[s].text; ++i) {
      sample.token_ids.push_back(
          static_cast<int32_t>(random.below(index++, static_cast<uint64_t>(vocab_size))));
      sample.scored.push_back(i > 0);
    }
  }
  return samples;
}

int64_t rows_of(const model::ModelConfig& config, const std::vector<SampleSize>& sizes) {
  int64_t rows = 0;
  for (const SampleSize& size : sizes) rows += config.visual_tokens(size.frames) + size.text;
  return rows;
}

double required_flops(const model::ModelConfig& config, const SampleSize& sample) {
  const double text = real(sample.text), visual = real(config.visual_tokens(sample.frames));
  const double media = real(sample.frames * config.vision.tokens_per_image());
  const double vision = sample.frames == 0 ? 0
                                           : real(sample.frames) * encoder_flops(config.vision) +
                                                 bridge_flops(config, visual, media);
  return vision + decoder_flops(config, visual + text, text);
}

double required_flops(const model::ModelConfig& config, const std::vector<SampleSize>& samples) {
  double flops = 0;
  for (const SampleSize& sample : samples) flops += required_flops(config, sample);
  return flops;
}

}  // namespace lynceus::bench
