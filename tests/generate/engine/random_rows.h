// A small model with random values and random prompts for it: texts, images, several images and
// videos, under several settings of decoding at once.
#pragma once

#include <map>
#include <vector>

#include "core/random.h"
#include "generate/engine/decoder.h"
#include "generate/engine/given_prompts.h"
#include "model/lynx.h"
#include "parallel/communicator.h"

namespace lynceus::generate {

using Answers = std::map<uint64_t, std::vector<Search::Answer>>;

inline model::ModelConfig small_model() {
  model::ModelConfig config;
  config.llm.hidden_size = 32;
  config.llm.intermediate_size = 48;
  config.llm.num_layers = 4;
  config.llm.num_heads = 8;
  config.llm.num_kv_heads = 4;
  config.llm.vocab_size = 97;
  config.llm.init_std = 0.3;
  config.llm.train.clear();
  config.vision.image_size = 28;
  config.vision.patch_size = 14;
  config.vision.hidden_size = 16;
  config.vision.intermediate_size = 24;
  config.vision.num_layers = 2;
  config.vision.num_heads = 2;
  config.vision.num_frames = 3;
  config.vision.init_std = 0.2;
  config.bridge.num_latents = 3;
  config.bridge.num_layers = 1;
  config.bridge.num_heads = 2;
  config.bridge.head_dim = 8;
  config.adapter.every = 2;
  config.adapter.bottleneck_size = 16;
  config.adapter.init_std = 0.2;
  config.validate();
  return config;
}

inline std::vector<Settings> several_settings() {
  Settings greedy, beams, sampling, beam_sampling;
  greedy.max_new_tokens = 7;
  greedy.repetition_penalty = 1.2;
  beams.max_new_tokens = 6;
  beams.num_beams = beams.num_return_sequences = 3;
  beams.no_repeat_ngram_size = 2;
  sampling.max_new_tokens = 5;
  sampling.do_sample = true;
  sampling.top_k = 12;
  sampling.top_p = 0.9;
  beam_sampling = sampling;
  beam_sampling.num_beams = 2;
  beam_sampling.length_penalty = -1;
  return {greedy, beams, sampling, beam_sampling};
}

/// Rows of an input. What they are follows from the numbers of the rows.
struct RandomRows {
  static constexpr int64_t kMedia = 25;
  static constexpr int64_t kSide = 28;

  model::ModelConfig config = small_model();
  std::vector<Settings> settings = several_settings();
  std::vector<Prompt> prompts;
  std::vector<PromptMedia> media;

  explicit RandomRows(uint64_t count) {
    for (int64_t number = 0; number < kMedia; ++number) {
      if (number % 5 == 0)
        media.push_back({{3}, true});
      else
        media.push_back({std::vector<int64_t>(number % 4 == 1 ? 2 : 1, 1), false});
    }
    const CounterRandom random(5, "prompts");
    for (uint64_t row = 0; row < count; ++row) {
      Prompt prompt;
      prompt.row = row;
      prompt.eos = static_cast<int32_t>(row % 97);  // so that some answers end early
      prompt.settings = &settings[row % settings.size()];
      const uint64_t at = row * 32;
      const auto length = 1 + static_cast<uint64_t>(random.uniform(at) * 11);
      prompt.token_ids = {1};
      for (uint64_t i = 1; i < length; ++i)
        prompt.token_ids.push_back(3 + static_cast<int32_t>(random.uniform(at + i) * 93));
      const auto number = static_cast<int64_t>(random.uniform(at + 31) * kMedia * 1.5);
      prompt.media = number < kMedia ? number : -1;
      prompts.push_back(prompt);
    }
  }

  static Tensor pixels(const PromptMedia& of, int64_t number) {
    int64_t frames = 0;
    for (const int64_t some : of.item_frames) frames += some;
    const CounterRandom random(6, "pixels " + std::to_string(number));
    const Tensor pixels = Tensor::empty(Stream(), {frames, 3, kSide, kSide});
    uint64_t index = 0;
    for (float& value : pixels.span<float>()) value = static_cast<float>(random.normal(index++));
    return pixels;
  }

  /// The answers of `some` on the ranks of `rt`, each replica's on its ranks.
  Answers answer(Runtime rt, std::vector<Prompt> some, int64_t batch_size,
                 int64_t cache_rows = 400) const {
    rt.ordered_sums = true;
    model::LynxModel model = model::make_lynx(
        rt, config, model::partition_model(config, rt.grid.pipeline->size(), ""), 0);
    model::initialize(rt, &model, 3);
    model.freeze(rt);
    GivenPrompts feed(std::move(some), media, [this](int64_t number) {
      return pixels(media[static_cast<size_t>(number)], number);
    });
    DecoderOptions options;
    options.batch_size = batch_size;
    options.cache = rt.precision;
    options.cache_rows = cache_rows;
    Decoder(rt, model, options).run(&feed);
    return feed.answers();
  }
};

/// The prompts of rows that were decoded greedily, with their answers as given ones, at kDecoded,
/// among others that are shorter, longer and different from the first token on.
constexpr size_t kDecoded = 1;
inline std::vector<Prompt> given_prompts(const RandomRows& rows, const Answers& answers) {
  std::vector<Prompt> prompts;
  for (const Prompt& decoded : rows.prompts) {
    const Settings& settings = *decoded.settings;
    const auto found = answers.find(decoded.row);
    if (settings.num_beams > 1 || settings.do_sample || found == answers.end()) continue;
    Prompt prompt = decoded;
    const std::vector<int32_t>& tokens = found->second.front().tokens;
    std::vector<int32_t> longer = tokens;
    longer.insert(longer.end(), {5, 6, 7});
    const auto other = static_cast<int32_t>(decoded.row % 90);
    prompt.given = {{other, 8, 9, 10, 11, 12, 13, 14, 15}, tokens, {other}, longer};
    prompts.push_back(prompt);
  }
  return prompts;
}

inline Runtime alone() {
  return {Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
}

/// Of tokens, and the bits of sums.
inline bool are_equal(const Search::Answer& a, const Search::Answer& b) {
  return a.tokens == b.tokens && a.ended == b.ended && a.length == b.length && a.sum == b.sum &&
         a.score == b.score;
}
inline bool are_equal(const std::vector<Search::Answer>& a, const std::vector<Search::Answer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return are_equal(x, y); });
}

}  // namespace lynceus::generate
