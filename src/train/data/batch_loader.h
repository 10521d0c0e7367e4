// From dataset shards to steps: the samples of a global batch, their replicas, tokens,
// micro-batches and media. Threads decode the media in advance. Everything but the pixels is a pure
// function of (seed, sample index, config) that every rank computes for its replica.
#pragma once

#include <string>
#include <vector>

#include "io/media/media_loader.h"
#include "io/text/prompt.h"
#include "train/config.h"
#include "train/data/left_out.h"
#include "train/data/mixture.h"
#include "train/data/replica_batch.h"

namespace lynceus::train {

/// A sample of the global batch, known from the headers of the shards alone.
struct PlannedSample {
  int64_t index = 0;  ///< in the run
  int dataset = 0;
  int64_t sample = 0;  ///< in the dataset
  std::vector<int64_t> item_frames;
  bool is_video = false;
  double cost = 0;  ///< estimated work in multiply-adds; for balance only
};

struct DamagedSample {
  int64_t index = 0;
  std::string reason;
};

/// One replica's part of a step, ready to run.
struct PreparedStep {
  ReplicaBatch batch;
  GlobalReach reach;
  std::vector<Tensor> pixels;  ///< by sample of the batch; undefined where another rank encodes
  std::vector<PlannedSample> samples;  ///< by sample of the batch
  std::vector<DamagedSample> damaged;  ///< found by this rank
  /// Estimated work of the busiest replica divided by the mean; the same on every rank.
  double replica_imbalance = 1;

  PixelSource pixel_source() const;
};

/// The prompts of a dataset.
struct DatasetPrompts {
  const io::PromptList* list = nullptr;  ///< null: text as in the shard
  bool captions_only = false;            ///< only for media without a question
};

/// The turns of a sample of the dataset with the prompt that it gets; `index`: in the run.
std::vector<io::Turn> prompted_turns(const io::Dataset& dataset, int64_t sample,
                                     const DatasetPrompts& prompts, uint64_t seed, uint64_t index);

/// What turns samples into tokens.
struct TextOptions {
  const io::Tokenizer* tokenizer = nullptr;
  io::PromptStyle style;
  std::vector<DatasetPrompts> prompts;  ///< by dataset; empty: text as in the shards
  int64_t max_tokens = 512;
  uint64_t seed = 1;
};

/// The replica of each sample; costs are spread evenly (train/data/balance.h). `imbalance` (null:
/// not wanted) becomes the work of the busiest replica divided by the mean.
std::vector<int> assign_replicas(const std::vector<PlannedSample>& samples, int replicas,
                                 double* imbalance = nullptr);

/// How media becomes pixels in this run; random crops in training only.
io::TransformConfig transform_config(const DataConfig& config, int64_t image_size, uint64_t seed,
                                     bool is_training);
/// Threads that decode media: data.loader_threads, or by default what fits the cores of this rank.
int loader_threads(const Runtime& rt, const DataConfig& config);

/// Plans and loads batches of one list of datasets for this rank.
class BatchLoader {
 public:
  BatchLoader(const Runtime& rt, const model::ModelConfig& model,
              std::vector<const io::Dataset*> datasets, TextOptions text, BatchLimits limits,
              const io::TransformConfig& transform, int threads);

  /// A video must have no more than vision.num_frames frames (open_data checks it).
  PlannedSample plan_sample(int64_t index, const MixtureSample& choice) const;
  /// Begins to load a global batch; finish() returns batches in the same order.
  void begin(const std::vector<PlannedSample>& global_batch);
  /// Waits for the media of the next finish(), or until this process is asked to stop.
  void wait_or_stop() { loader_.wait_or_stop(); }
  /// Collective over the replica: its ranks agree on damaged samples and drop their labels.
  PreparedStep finish();

  /// The turns of a sample with the prompt that it gets.
  std::vector<io::Turn> turns(const PlannedSample& planned) const;
  const TextOptions& text() const { return text_; }

 private:
  SampleInput tokenize(const PlannedSample& planned, int64_t position, int64_t* cut) const;
  void drop_damaged(PreparedStep* step) const;

  const Runtime& rt_;
  model::ModelConfig model_;
  std::vector<const io::Dataset*> datasets_;
  TextOptions text_;
  BatchLimits limits_;
  std::vector<PreparedStep> queue_;
  std::vector<std::vector<int64_t>> requested_;  ///< positions in the batch, by queue entry
  io::MediaLoader loader_;
};

/// Endless batches of the training mixture, loaded while earlier ones are used.
class TrainingData {
 public:
  /// Begins to load `depth` batches, from the current index of `mixture`.
  TrainingData(BatchLoader* loader, Mixture mixture, int64_t global_batch_size, int depth,
               LeftOutSamples left_out = {});
  /// Waits until next() need not wait, or until this process is asked to stop.
  void wait_or_stop() { loader_->wait_or_stop(); }
  /// The oldest batch whose loading was begun. Collective over the replica.
  PreparedStep next() { return loader_->finish(); }
  /// Plans one more batch and begins to load it. To be called once for each next(), while the host
  /// is idle.
  void begin_next();

 private:
  BatchLoader* loader_;
  Mixture mixture_;
  int64_t global_batch_size_;
  LeftOutSamples left_out_;
};

}  // namespace lynceus::train
