// Fills micro-batches in order, lays out their rows, spreads media over ranks by cost.
#include "train/data/replica_batch.h"

#include <numeric>

#include "train/data/balance.h"

namespace lynceus::train {
namespace {

int64_t visual_tokens_of(const model::ModelConfig& config, const SampleInput& sample) {
  int64_t count = 0;
  for (const int64_t frames : sample.item_frames) count += config.visual_tokens(frames);
  return count;
}

/// The rows of one micro-batch while it is being laid out.
struct MicroBatchRows {
  std::vector<int32_t> token_ids, positions, begins{0}, visual_rows, scored_rows, scored_labels;
};

// Checked here, where ids are in host memory: on a device the embedding would treat an id that no
// rank holds as a visual row.
void check_token_ids(const SampleInput& sample, int64_t vocab_size) {
  for (const int32_t id : sample.token_ids)
    LYNCEUS_CHECK(id >= 0 && id < vocab_size, "sample {} has token id {}, expected 0..{}",
                  sample.index, id, vocab_size - 1);
}

void append_sample(const SampleInput& sample, int64_t visual, int32_t sample_index,
                   MicroBatchRows* rows, model::PackedBatch* batch) {
  const int64_t text = static_cast<int64_t>(sample.token_ids.size());
  LYNCEUS_CHECK(
      sample.positions.empty() || static_cast<int64_t>(sample.positions.size()) == visual + text,
      "{} positions for {} visual and {} text rows", sample.positions.size(), visual, text);
  const int32_t first = rows->begins.back();
  for (int64_t r = 0; r < visual + text; ++r) {
    const int32_t row = first + static_cast<int32_t>(r);
    const bool is_visual = r < visual;
    rows->token_ids.push_back(is_visual ? -1 : sample.token_ids[r - visual]);
    rows->positions.push_back(sample.positions.empty() ? static_cast<int32_t>(r)
                                                       : sample.positions[r]);
    if (is_visual) rows->visual_rows.push_back(row);
    // The target of a row is the next token of its sequence; the last row has none.
    const int64_t next = r + 1 - visual;
    if (next >= 0 && next < text && sample.scored[next]) {
      rows->scored_rows.push_back(row);
      rows->scored_labels.push_back(sample.token_ids[next]);
      batch->sample_of_scored.push_back(sample_index);
    }
  }
  rows->begins.push_back(first + static_cast<int32_t>(visual + text));
  batch->samples.push_back(sample.index);
}

void finish_micro_batch(const Runtime& rt, MicroBatchRows rows, model::PackedBatch* batch) {
  const auto tensor = [&](const std::vector<int32_t>& values) {
    return Tensor::from(rt.stream, {static_cast<int64_t>(values.size())}, values);
  };
  batch->token_ids = tensor(rows.token_ids);
  batch->positions = tensor(rows.positions);
  batch->visual_rows = tensor(rows.visual_rows);
  batch->scored_rows = tensor(rows.scored_rows);
  batch->scored_labels = tensor(rows.scored_labels);
  batch->sequences = kernels::CumulativeLengths(rt.stream, std::move(rows.begins));
}

/// Spreads the window's media over the ranks; the media of one sample stays together. `load`: patch
/// tokens by rank over the windows of the step.
void assign_owners(const model::ModelConfig& config, VisionWindow* window,
                   std::vector<int64_t>* load) {
  std::vector<int64_t> costs;
  std::vector<size_t> unit_of;  // index into costs, by item
  for (size_t i = 0; i < window->items.size(); ++i) {
    const MediaItem& item = window->items[i];
    if (i == 0 || item.sample != window->items[i - 1].sample) costs.push_back(0);
    costs.back() += item.frames * config.vision.tokens_per_image();
    unit_of.push_back(costs.size() - 1);
  }
  const std::vector<int> owners = spread_evenly(costs, load);
  for (size_t i = 0; i < unit_of.size(); ++i) window->items[i].owner = owners[unit_of[i]];
}

void add_items(const model::ModelConfig& config, const SampleInput& sample, int64_t sample_position,
               int64_t micro_batch, VisionWindow* window) {
  int64_t first_frame = 0;
  for (const int64_t frames : sample.item_frames) {
    MediaItem item;
    item.sample = sample_position;
    item.first_frame = first_frame;
    item.frames = frames;
    item.is_video = sample.is_video;
    item.micro_batch = micro_batch;
    item.visual_begin = window->visual_tokens;
    item.visual_count = config.visual_tokens(frames);
    window->visual_tokens += item.visual_count;
    window->items.push_back(item);
    first_frame += frames;
  }
}

}  // namespace

int64_t SampleInput::frames() const {
  return std::accumulate(item_frames.begin(), item_frames.end(), int64_t{0});
}

int64_t ReplicaBatch::tokens() const {
  int64_t tokens = 0;
  for (const model::PackedBatch& micro_batch : micro_batches) tokens += micro_batch.tokens();
  return tokens;
}

BatchLimits batch_limits(const TrainConfig& config) {
  return {config.micro_batch_tokens, config.vision_window};
}

ReplicaBatch make_replica_batch(const Runtime& rt, const model::ModelConfig& config,
                                std::vector<SampleInput> samples, const BatchLimits& limits,
                                int ranks) {
  ReplicaBatch replica;
  replica.samples = std::move(samples);
  MicroBatchRows rows;
  model::PackedBatch batch;
  const auto close = [&] {
    if (batch.samples.empty()) return;
    finish_micro_batch(rt, std::move(rows), &batch);
    replica.micro_batches.push_back(std::move(batch));
    rows = MicroBatchRows();
    batch = model::PackedBatch();
  };
  for (size_t s = 0; s < replica.samples.size(); ++s) {
    const SampleInput& sample = replica.samples[s];
    check_token_ids(sample, config.llm.vocab_size);
    const int64_t visual = visual_tokens_of(config, sample);
    const int64_t tokens = visual + static_cast<int64_t>(sample.token_ids.size());
    if (rows.begins.back() > 0 && rows.begins.back() + tokens > limits.micro_batch_tokens) close();
    const int64_t micro_batch = static_cast<int64_t>(replica.micro_batches.size());
    const int64_t per_window = limits.vision_window == 0 ? INT64_MAX : limits.vision_window;
    if (static_cast<int64_t>(replica.windows.size()) <= micro_batch / per_window)
      replica.windows.push_back({static_cast<int>(micro_batch)});
    VisionWindow& window = replica.windows.back();
    window.micro_batches = static_cast<int>(micro_batch) - window.first_micro_batch + 1;
    add_items(config, sample, static_cast<int64_t>(s), micro_batch, &window);
    append_sample(sample, visual, static_cast<int32_t>(batch.samples.size()), &rows, &batch);
  }
  close();
  std::vector<int64_t> load(ranks, 0);
  for (VisionWindow& window : replica.windows) assign_owners(config, &window, &load);
  return replica;
}

}  // namespace lynceus::train
