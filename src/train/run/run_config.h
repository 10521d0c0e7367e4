// Every section of the configuration of a run, and what of it depends on files and on the ranks.
#pragma once

#include <string>

#include "core/config/config.h"
#include "io/text/tokenizer.h"
#include "model/config.h"
#include "parallel/runtime.h"
#include "train/config.h"
#include "train/run/run_options.h"
#include "train/watch/watch_config.h"

namespace lynceus::train {

/// Vicuna as a difference from LLaMA. A key of [model] that is needed only to open weight files.
struct DeltaConfig {
  std::string weights_delta;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("model", "the LLM: LLaMA family");
    v.field("model.weights_delta", weights_delta,
            "weights that are added to model.weights, tensor by tensor (a Vicuna released as a "
            "delta); empty: none");
  }
};

struct RunConfig {
  RunOptions options;
  model::ModelConfig model;
  DeltaConfig delta;
  DataConfig data;
  ParallelConfig parallel;
  TrainConfig train;
  OptimizerConfig optimizer;
  CheckpointConfig checkpoint;
  LogConfig log;
  WatchConfig watchdog;

  template <typename Visitor>
  void visit(Visitor& v) {
    options.visit(v);
    model.visit(v);
    delta.visit(v);
    data.visit(v);
    parallel.visit(v);
    train.visit(v);
    optimizer.visit(v);
    checkpoint.visit(v);
    log.visit(v);
    watchdog.visit(v);
  }
  /// Adds every invalid value, before any file is opened.
  void check(ConfigFaults* faults) const;
};

/// Fills in what depends on files and on the world: the values of config.json of model.weights,
/// which override given ones, vocab_size = auto, parallel.data = 0. `reader` has filled `config`
/// and has the resolved values afterwards. Then validates the complete model, its layout, and the
/// names and shapes in the weight files. Not collective.
void resolve_config(RunConfig* config, ConfigReader* reader, const io::Tokenizer& tokenizer,
                    const Runtime& rt);

}  // namespace lynceus::train
