// Plans a global batch, tokenizes this replica's part, requests this rank's media.
#include "train/data/batch_loader.h"

#include <algorithm>

#include "core/cores.h"
#include "core/trace.h"
#include "train/data/balance.h"

namespace lynceus::train {

PixelSource PreparedStep::pixel_source() const {
  return [this](int64_t sample) {
    LYNCEUS_CHECK(pixels[sample].defined(), "pixels of sample {} were not loaded here", sample);
    return pixels[sample];
  };
}

std::vector<int> assign_replicas(const std::vector<PlannedSample>& samples, int replicas,
                                 double* imbalance) {
  std::vector<double> load(replicas, 0), costs;
  for (const PlannedSample& sample : samples) costs.push_back(sample.cost);
  std::vector<int> replica_of = spread_evenly(costs, &load);
  if (imbalance != nullptr) *imbalance = train::imbalance(load);
  return replica_of;
}

io::TransformConfig transform_config(const DataConfig& config, int64_t image_size, uint64_t seed,
                                     bool is_training) {
  io::TransformConfig transform;
  transform.image_size = static_cast<int>(image_size);
  transform.augment = is_training && config.augment;
  transform.seed = seed;
  transform.scaled_decode = config.scaled_decode;
  return transform;
}

int loader_threads(const Runtime& rt, const DataConfig& config) {
  if (config.loader_threads > 0) return static_cast<int>(config.loader_threads);
  return decode_threads(cores_of_this_rank(), !rt.stream.device().is_cpu());
}

BatchLoader::BatchLoader(const Runtime& rt, const model::ModelConfig& model,
                         std::vector<const io::Dataset*> datasets, TextOptions text,
                         BatchLimits limits, const io::TransformConfig& transform, int threads)
    : rt_(rt),
      model_(model),
      datasets_(std::move(datasets)),
      text_(std::move(text)),
      limits_(limits),
      loader_(datasets_, transform, threads, rt.host()) {}

PlannedSample BatchLoader::plan_sample(int64_t index, const MixtureSample& choice) const {
  const io::Dataset& dataset = *datasets_[choice.dataset];
  PlannedSample planned{index, choice.dataset, choice.sample, {}, false, 0};
  const int64_t media = dataset.media_count(choice.sample);
  const bool separate = dataset.kind(choice.sample) == io::MediaKind::kSeparateImages;
  if (separate)
    planned.item_frames.assign(media, 1);
  else if (media > 0)
    planned.item_frames = {media};
  planned.is_video = !separate && media > 1;
  LYNCEUS_CHECK(!planned.is_video || media <= model_.vision.num_frames,
                "{}: {} frames, but vision.num_frames is {}", dataset.describe(choice.sample),
                media, model_.vision.num_frames);
  // Multiply-adds of the encoder's forward pass and of the LLM's forward and backward passes, with
  // four bytes of text per token.
  const model::VisionConfig& vision = model_.vision;
  const model::LlmConfig& llm = model_.llm;
  const double per_patch =
      static_cast<double>(vision.num_layers * vision.hidden_size *
                          (4 * vision.hidden_size + 2 * vision.intermediate_size));
  const double per_token = static_cast<double>(2 * llm.num_layers * llm.hidden_size *
                                               (4 * llm.hidden_size + 3 * llm.intermediate_size));
  int64_t visual = 0;
  for (const int64_t frames : planned.item_frames) visual += model_.visual_tokens(frames);
  const int64_t text = std::min(text_.max_tokens, dataset.text_length(choice.sample) / 4 + 1);
  planned.cost = per_patch * static_cast<double>(media * vision.tokens_per_image()) +
                 per_token * static_cast<double>(visual + text);
  return planned;
}

std::vector<io::Turn> prompted_turns(const io::Dataset& dataset, int64_t sample,
                                     const DatasetPrompts& prompts, uint64_t seed, uint64_t index) {
  std::vector<io::Turn> turns = dataset.turns(sample);
  if (prompts.list == nullptr) return turns;
  const bool is_caption = dataset.media_count(sample) > 0 && !io::has_question(turns);
  if (prompts.captions_only && !is_caption) return turns;
  return prompts.list->apply(std::move(turns), seed, index);
}

std::vector<io::Turn> BatchLoader::turns(const PlannedSample& planned) const {
  const DatasetPrompts none;
  return prompted_turns(*datasets_[planned.dataset], planned.sample,
                        text_.prompts.empty() ? none : text_.prompts.at(planned.dataset),
                        text_.seed, static_cast<uint64_t>(planned.index));
}

SampleInput BatchLoader::tokenize(const PlannedSample& planned, int64_t position,
                                  int64_t* cut) const {
  io::TokenizedSample tokens =
      io::tokenize_sample(*text_.tokenizer, text_.style, turns(planned), text_.max_tokens);
  *cut += tokens.cut;
  SampleInput sample;
  sample.index = position;
  sample.item_frames = planned.item_frames;
  sample.is_video = planned.is_video;
  sample.token_ids = std::move(tokens.token_ids);
  sample.scored = std::move(tokens.scored);
  return sample;
}

void BatchLoader::begin(const std::vector<PlannedSample>& global_batch) {
  LYNCEUS_TRACE("plan");
  PreparedStep step;
  const std::vector<int> replica_of =
      assign_replicas(global_batch, rt_.grid.data->size(), &step.replica_imbalance);
  std::vector<SampleInput> mine;
  int64_t cut_tokens = 0;
  for (size_t i = 0; i < global_batch.size(); ++i) {
    const PlannedSample& planned = global_batch[i];
    step.reach.any_sample = true;
    step.reach.any_media |= !planned.item_frames.empty();
    step.reach.any_video |= planned.is_video;
    if (replica_of[i] != rt_.grid.data->rank()) continue;
    mine.push_back(tokenize(planned, static_cast<int64_t>(i), &cut_tokens));
    step.samples.push_back(planned);
  }
  step.batch = make_replica_batch(rt_, model_, std::move(mine), limits_, rt_.grid.replica->size());
  step.batch.cut_tokens = cut_tokens;
  step.pixels.resize(step.samples.size());
  std::vector<int64_t> positions;
  std::vector<io::MediaRequest> requests;
  for (const VisionWindow& window : step.batch.windows)
    for (const MediaItem& item : window.items) {
      if (item.owner != rt_.grid.replica->rank()) continue;
      if (!positions.empty() && positions.back() == item.sample) continue;
      const PlannedSample& planned = step.samples[item.sample];
      positions.push_back(item.sample);
      requests.push_back({planned.dataset, planned.sample, static_cast<uint64_t>(planned.index)});
    }
  loader_.request(std::move(requests));
  queue_.push_back(std::move(step));
  requested_.push_back(std::move(positions));
}

PreparedStep BatchLoader::finish() {
  LYNCEUS_TRACE("wait for media");
  LYNCEUS_CHECK(!queue_.empty(), "no batch was begun");
  PreparedStep step = std::move(queue_.front());
  const std::vector<int64_t> positions = std::move(requested_.front());
  queue_.erase(queue_.begin());
  requested_.erase(requested_.begin());
  std::vector<io::LoadedMedia> media = loader_.take();
  for (size_t i = 0; i < positions.size(); ++i) {
    step.pixels[positions[i]] = std::move(media[i].pixels);
    if (media[i].damaged)
      step.damaged.push_back({step.samples[positions[i]].index, std::move(media[i].reason)});
  }
  drop_damaged(&step);
  return step;
}

void BatchLoader::drop_damaged(PreparedStep* step) const {
  const int64_t count = static_cast<int64_t>(step->samples.size());
  if (count == 0) return;
  std::vector<uint8_t> bad(count, 0);
  for (const DamagedSample& damaged : step->damaged)
    for (int64_t i = 0; i < count; ++i) bad[i] |= step->samples[i].index == damaged.index;
  const Tensor bitmap = Tensor::borrow(bad.data(), {count}, DType::kU8);
  rt_.grid.replica->all_reduce(bitmap, parallel::ReduceOp::kMax);
  const int64_t damaged = std::count(bad.begin(), bad.end(), 1);
  if (damaged == 0) return;
  // Token counts do not depend on pixels, so micro-batches and owners stay the same.
  std::vector<SampleInput> samples = std::move(step->batch.samples);
  for (int64_t i = 0; i < count; ++i)
    if (bad[i]) std::fill(samples[i].scored.begin(), samples[i].scored.end(), 0);
  const int64_t cut_tokens = step->batch.cut_tokens;
  step->batch =
      make_replica_batch(rt_, model_, std::move(samples), limits_, rt_.grid.replica->size());
  step->batch.cut_tokens = cut_tokens;
  step->batch.damaged_samples = damaged;
}

TrainingData::TrainingData(BatchLoader* loader, Mixture mixture, int64_t global_batch_size,
                           int depth, LeftOutSamples left_out)
    : loader_(loader),
      mixture_(std::move(mixture)),
      global_batch_size_(global_batch_size),
      left_out_(std::move(left_out)) {
  for (int i = 0; i < depth; ++i) begin_next();
}

void TrainingData::begin_next() {
  std::vector<PlannedSample> batch;
  for (int64_t i = 0; i < global_batch_size_; ++i) {
    mixture_.seek(left_out_.next_used(mixture_.index()));
    const int64_t index = mixture_.index();
    batch.push_back(loader_->plan_sample(index, mixture_.next()));
  }
  loader_->begin(batch);
}

}  // namespace lynceus::train
