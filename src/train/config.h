// How training runs: the sections [parallel] [train] [optimizer] [data] [checkpoint] [log]. Each
// struct visits its own fields once and says which values cannot be (check).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config_faults.h"

namespace lynceus::train {

struct ParallelConfig {
  int64_t tensor = 1;
  int64_t pipeline = 1;
  int64_t data = 0;
  std::string schedule = "1f1b";
  std::string layers;
  std::string overlap = "all";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("parallel", "the grid of ranks");
    v.field("parallel.tensor", tensor, "ranks that share each layer");
    v.field("parallel.pipeline", pipeline, "stages the layers are cut into");
    v.field("parallel.data", data, "replicas; 0: what is left of the world");
    v.field("parallel.schedule", schedule, "order of micro-batches: gpipe, 1f1b or eager");
    v.field("parallel.layers", layers, "decoder layers of each stage, as 9,8,8,7; empty: by cost");
    v.field("parallel.overlap", overlap,
            "what runs beside arithmetic on devices: all, none, or some of "
            "gradients,pipeline,tensor,vision");
  }
  void check(ConfigFaults* faults) const;
};

struct TrainConfig {
  int64_t steps = 1000;
  int64_t global_batch_size = 64;
  int64_t micro_batch_tokens = 1024;
  int64_t vision_window = 0;
  std::string recompute = "none";
  uint64_t seed = 1;
  double label_smoothing = 0;
  int64_t validate_every = 0;
  int64_t validation_samples = 0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("train", "the run");
    v.field("train.steps", steps, "optimizer steps, the length of the lr schedule");
    v.field("train.global_batch_size", global_batch_size, "samples a step");
    v.field("train.micro_batch_tokens", micro_batch_tokens,
            "rows packed into one micro-batch; a longer sample is alone");
    v.field("train.vision_window", vision_window,
            "micro-batches whose media is encoded together; 0: all");
    v.choice("train.recompute", recompute, {"none", "layer"}, "what backward computes again");
    v.field("train.seed", seed, "seed of weights, samples and crops");
    v.field("train.label_smoothing", label_smoothing,
            "share of the target spread over the vocabulary");
    v.field("train.validate_every", validate_every,
            "steps between validations; 0: at the end only");
    v.field("train.validation_samples", validation_samples,
            "samples of each validation set; 0: all");
  }
  void check(ConfigFaults* faults) const;
};

struct OptimizerConfig {
  double lr = 1e-4;
  double warmup_start_lr = 1e-5;
  double warmup_share = 0.05;
  double final_lr = 0;
  std::string schedule = "linear";
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double max_grad_norm = 1.0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("optimizer", "AdamW");
    v.field("optimizer.lr", lr, "learning rate at the end of the warm-up");
    v.field("optimizer.warmup_start_lr", warmup_start_lr, "learning rate of the first step");
    v.field("optimizer.warmup_share", warmup_share, "share of train.steps that warms up");
    v.field("optimizer.final_lr", final_lr,
            "learning rate that the decay ends with, one step behind the last");
    v.choice("optimizer.schedule", schedule, {"linear", "cosine", "constant"},
             "decay after the warm-up");
    v.field("optimizer.beta1", beta1, "decay of the first moment");
    v.field("optimizer.beta2", beta2, "decay of the second moment");
    v.field("optimizer.eps", eps, "added to the root of the second moment");
    v.field("optimizer.weight_decay", weight_decay, "decoupled weight decay");
    v.field("optimizer.max_grad_norm", max_grad_norm, "global norm to clip to; 0: no clipping");
  }
  void check(ConfigFaults* faults) const;
};

struct DataConfig {
  std::vector<std::string> sources;
  std::vector<std::string> mixture;
  std::string root;
  std::string missing = "skip";
  std::vector<std::string> validation;
  std::string tokenizer;
  std::string prompt = "lynx";
  std::string prompts = "none";
  std::string caption_prompts;
  int64_t max_tokens = 512;
  bool augment = true;
  bool scaled_decode = false;
  int64_t loader_threads = 0;
  double max_bad = 0.01;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("data", "what is learned from");
    v.list("data.source", sources, "NAME:WEIGHT:GLOB of dataset shards, repeatable");
    v.list(
        "data.mixture", mixture,
        "NAME:WEIGHT:FAMILY of shards named NAME below data.root, repeatable; FAMILY: their list "
        "of prompts, a file or a name in configs/prompts; :GLOB behind it names them otherwise");
    v.field("data.root", root,
            "folder of the datasets of data.mixture; empty: the mixture is not used");
    v.choice("data.missing", missing, {"skip", "refuse"},
             "datasets of data.mixture that are not there: left out, or the run does not start");
    v.list("data.validation", validation, "NAME:GLOB of held-out shards, repeatable");
    v.field("data.tokenizer", tokenizer, "SentencePiece model");
    v.field("data.prompt", prompt, "prompt template: a file, or a name in configs/prompts");
    v.choice(
        "data.prompts", prompts, {"none", "single", "diverse"},
        "wordings from the list of a dataset's family: none, always the first, or one by chance");
    v.field("data.caption_prompts", caption_prompts,
            "list of prompts for datasets without a family: a file, or a name in configs/prompts; "
            "empty: none");
    v.field("data.max_tokens", max_tokens, "most text tokens of a sample");
    v.field("data.augment", augment, "random resized crop in training");
    v.field("data.scaled_decode", scaled_decode,
            "decode a JPEG at 1/2, 1/4 or 1/8 where that is no smaller than the encoder's input: "
            "faster, and not the released code's pixels");
    v.field("data.loader_threads", loader_threads,
            "threads a rank that decode images; 0: by its cores");
    v.field("data.max_bad", max_bad,
            "share of samples with damaged media above which the run stops");
  }
  void check(ConfigFaults* faults) const;
};

struct CheckpointConfig {
  int64_t every = 0;
  int64_t keep_last = 2;
  int64_t keep_every = 0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("checkpoint", "what survives");
    v.field("checkpoint.every", every, "steps between checkpoints; 0: at the end only");
    v.field("checkpoint.keep_last", keep_last, "newest checkpoints kept, at least 2");
    v.field("checkpoint.keep_every", keep_every, "also keep steps that this divides; 0: none");
  }
  void check(ConfigFaults* faults) const;
};

/// Steps of which a trace is written; last < first: none.
struct TraceRange {
  int64_t first = 0;
  int64_t last = -1;
};

struct LogConfig {
  std::string level = "info";
  int64_t every = 10;
  bool schedule = false;
  bool samples = false;
  std::string trace;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("log", "what is said");
    v.choice("log.level", level, {"debug", "info", "warn", "error"}, "what the terminal shows");
    v.field("log.every", every, "steps between lines of the log");
    v.field("log.schedule", schedule, "print the pipeline schedule of the first step");
    v.field("log.samples", samples,
            "list every sample of every step in samples.tsv: step, index, dataset, key, digests of "
            "its tokens and pixels");
    v.field("log.trace", trace, "FIRST:LAST steps of which each rank writes a Chrome trace");
  }
  void check(ConfigFaults* faults) const;
  /// The steps that log.trace names; none if it is empty.
  TraceRange trace_range() const;
};

}  // namespace lynceus::train
