// How training runs: the sections [parallel] [train] [optimizer] [data] [checkpoint] [log]. Each
// struct visits its fields once; check() reports invalid values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/faults.h"

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
    v.field("parallel.pipeline", pipeline, "stages that the layers are divided into");
    v.field("parallel.data", data, "replicas of the model; 0: as many as the ranks allow");
    v.field("parallel.schedule", schedule, "order of micro-batches: gpipe, 1f1b or eager");
    v.field("parallel.layers", layers,
            "decoder layers of each stage, e.g. 9,8,8,7; empty: balanced by cost");
    v.field(
        "parallel.overlap", overlap,
        "communication and encoding that overlap with computation on GPUs: all, none, or some of "
        "gradients,pipeline,tensor,vision");
  }
  void check(ConfigFaults* faults) const;
};

/// The default of train.micro_batch_tokens.
constexpr int64_t kMicroBatchTokens = 1024;

/// How a step is divided; changes no result.
struct MicroBatchConfig {
  int64_t micro_batch_tokens = kMicroBatchTokens;
  int64_t vision_window = 0;
  std::string recompute = "none";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("train.micro_batch_tokens", micro_batch_tokens,
            "tokens packed into one micro-batch; a longer sample is a micro-batch of its own");
    v.field("train.vision_window", vision_window,
            "micro-batches whose media is encoded together; 0: all of a step");
    v.choice("train.recompute", recompute, {"none", "layer"},
             "what the backward pass recomputes instead of storing it");
  }
  void check(ConfigFaults* faults) const;
};

/// train.nonfinite_limit counts within this number of steps.
constexpr int64_t kNonfiniteWindow = 100;

struct TrainConfig : MicroBatchConfig {
  int64_t steps = 1000;
  int64_t global_batch_size = 64;
  uint64_t seed = 1;
  double label_smoothing = 0;
  int64_t validate_every = 0;
  int64_t validation_samples = 0;
  std::string sample_prompts;
  int64_t digest_every = 1000;
  double max_hours = 0;
  std::string nonfinite = "stop";
  int64_t nonfinite_limit = 10;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("train", "the run");
    v.field("train.steps", steps,
            "optimizer steps of the run; the learning rate schedule covers all of them");
    v.field("train.global_batch_size", global_batch_size, "samples per step, over all replicas");
    MicroBatchConfig::visit(v);
    v.field("train.seed", seed, "seed of initial weights, sample order and crops");
    v.field("train.label_smoothing", label_smoothing,
            "share of the target probability spread over the vocabulary");
    v.field("train.validate_every", validate_every,
            "steps between validations; 0: at the end only");
    v.field("train.validation_samples", validation_samples,
            "samples used of each validation set; 0: all");
    v.field("train.sample_prompts", sample_prompts,
            "rows of questions, as `lynceus generate` reads them, that are answered at each "
            "validation into sample_answers.jsonl; empty: none");
    v.field("train.digest_every", digest_every,
            "steps between comparisons of the trained parameters of all replicas, which are "
            "compared before each checkpoint too; 0: never");
    v.field("train.max_hours", max_hours,
            "hours from the start of the process after which it must have ended, with a checkpoint "
            "and exit code 75; 0: only the end of the job counts, if it is known");
    v.choice(
        "train.nonfinite", nonfinite, {"stop", "skip", "rollback"},
        "after a step whose loss or gradient is not finite: end the run, leave out the update, "
        "or go back to the last checkpoint and leave out the samples");
    v.field("train.nonfinite_limit", nonfinite_limit,
            "such steps within 100 steps that end the run although train.nonfinite is skip or "
            "rollback; at most 100");
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
    v.field("optimizer.warmup_share", warmup_share,
            "length of the warm-up as a share of train.steps");
    v.field("optimizer.final_lr", final_lr,
            "value that the decay approaches; it would be reached one step after the last");
    v.choice("optimizer.schedule", schedule, {"linear", "cosine", "constant"},
             "decay of the learning rate after the warm-up");
    v.field("optimizer.beta1", beta1, "decay rate of the first moment");
    v.field("optimizer.beta2", beta2, "decay rate of the second moment");
    v.field("optimizer.eps", eps, "added to the square root of the second moment");
    v.field("optimizer.weight_decay", weight_decay, "decoupled weight decay");
    v.field("optimizer.max_grad_norm", max_grad_norm,
            "gradients are clipped to this global norm; 0: no clipping");
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
  std::string prompt = "auto";
  std::string prompts = "none";
  std::string caption_prompts;
  int64_t max_tokens = 512;
  bool augment = true;
  bool scaled_decode = false;
  int64_t loader_threads = 0;
  double max_bad = 0.01;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("data", "datasets, tokenizer and prompts");
    v.list("data.source", sources,
           "dataset to train on, NAME:WEIGHT:GLOB of its shards; repeatable");
    v.list("data.mixture", mixture,
           "dataset in data.root, NAME:WEIGHT:FAMILY[:GLOB]; repeatable. FAMILY: its list of "
           "prompts, a "
           "file or a name in configs/prompts; GLOB: its shards, if they are not named NAME");
    v.field("data.root", root,
            "folder of the datasets of data.mixture; empty: data.mixture is not used");
    v.choice("data.missing", missing, {"skip", "refuse"},
             "if datasets of data.mixture do not exist: leave them out, or refuse to start");
    v.list("data.validation", validation, "held-out dataset, NAME:GLOB of its shards; repeatable");
    v.field("data.tokenizer", tokenizer,
            "SentencePiece model; empty: tokenizer.model in model.weights");
    v.field("data.prompt", prompt,
            "prompt template: a file, a name in configs/prompts, or auto: vicuna if the name of "
            "model.weights says so, else lynx");
    v.choice(
        "data.prompts", prompts, {"none", "single", "diverse"},
        "prompts from the list of a dataset's family: none, always the first, or a random one");
    v.field("data.caption_prompts", caption_prompts,
            "list of prompts for the captions of datasets without a family: a file, or a name in "
            "configs/prompts; empty: none");
    v.field("data.max_tokens", max_tokens, "most text tokens of a sample; the rest is cut off");
    v.field("data.augment", augment, "random resized crop in training");
    v.field("data.scaled_decode", scaled_decode,
            "decode a JPEG at 1/2, 1/4 or 1/8 of its size if that is not below the encoder's input "
            "size: faster, but the pixels differ from the released code's");
    v.field("data.loader_threads", loader_threads,
            "threads per rank that decode images; 0: chosen by the number of its cores");
    v.field("data.max_bad", max_bad,
            "share of samples with damaged media above which the run stops");
  }
  void check(ConfigFaults* faults) const;
};

struct CheckpointConfig {
  std::string every_minutes = "30";
  int64_t every = 0;
  int64_t keep_last = 2;
  int64_t keep_every = 0;
  std::string staging_mib = "auto";
  std::string mtbf_hours = "auto";
  double patience = 600;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("checkpoint", "when checkpoints are saved and how many are kept");
    v.field("checkpoint.every_minutes", every_minutes,
            "minutes after which the next checkpoint is saved; 0: not by time; auto: as many as "
            "lose the least time, from what a save costs and checkpoint.mtbf_hours");
    v.field("checkpoint.every", every,
            "steps between checkpoints; 0: not by steps. The end of the run is always saved");
    v.field("checkpoint.keep_last", keep_last, "number of newest checkpoints to keep, at least 2");
    v.field("checkpoint.keep_every", keep_every,
            "also keep checkpoints of steps divisible by this; 0: none");
    v.field("checkpoint.staging_mib", staging_mib,
            "MiB of memory on each rank for a snapshot, which is written while training goes on; "
            "0: training waits until a checkpoint is written; auto: what a snapshot takes, if half "
            "of the free memory is enough");
    v.field("checkpoint.mtbf_hours", mtbf_hours,
            "hours between failures of the job, for every_minutes = auto; auto: 6000 divided by "
            "the number of nodes");
    v.field("checkpoint.patience", patience,
            "seconds for which a run that stops or ends tries again to save its last steps where a "
            "save fails, at most until its job ends");
  }
  void check(ConfigFaults* faults) const;
  // Of the keys that may be auto; nullopt: auto.
  std::optional<double> given_minutes() const;
  std::optional<double> given_staging_mib() const;
  std::optional<double> given_mtbf_hours() const;
};

/// Steps for which traces are written; last < first: none.
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
    v.section("log", "logs, tables and traces");
    v.choice("log.level", level, {"debug", "info", "warn", "error"},
             "least severe messages that the terminal shows");
    v.field("log.every", every, "steps between progress lines in the log; 0: none");
    v.field("log.schedule", schedule, "print the pipeline schedule of the first step");
    v.field("log.samples", samples,
            "write every sample of every step to samples.tsv: step, index, dataset, key, digests "
            "of its tokens and pixels");
    v.field("log.trace", trace,
            "FIRST:LAST, the steps for which each rank writes a Chrome trace; empty: none");
  }
  void check(ConfigFaults* faults) const;
  /// The steps that log.trace names; none if it is empty or invalid.
  TraceRange trace_range() const;
};

}  // namespace lynceus::train
