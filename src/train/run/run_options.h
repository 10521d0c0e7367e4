// The run directory and how a run continues: the options that precede all sections.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/faults.h"

namespace lynceus::train {

/// Options of one start. They are left out of config.ini and of manifests: read again, they would
/// end the run, restart it or take it from its owner.
inline const std::vector<std::string> kOptionsOfOneStart = {"resume", "stop-after", "take-over",
                                                            "restart-anyway", "allow-change"};

struct RunOptions {
  std::string run = "runs/default";
  std::string resume = "auto";
  int64_t stop_after = 0;
  std::string init;
  bool init_frozen = false;
  bool take_over = false;
  bool restart_anyway = false;
  std::vector<std::string> allow_change;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("run", run, "run directory for config, metrics and checkpoints");
    v.field("resume", resume,
            "checkpoint to resume from: auto (the newest intact one, if any), never, or a step");
    v.field("stop-after", stop_after,
            "end after this step with a committed checkpoint; 0: after train.steps");
    v.field(
        "init", init,
        "what a new run starts from: a run (its newest checkpoint) or a checkpoint, frozen weights "
        "included (stage 2 from stage 1), or a file of weights such as the released "
        "pretrain_lynx.pt, whose trained weights it "
        "starts from");
    v.field("init-frozen", init_frozen,
            "with --init FILE: take the frozen modules from the file too, where it has them; "
            "otherwise they must be equal");
    v.field("take-over", take_over,
            "take over the lease of the run from a process that still holds it");
    v.field("restart-anyway", restart_anyway,
            "start once more although the last three starts ended without a newer checkpoint");
    v.list(
        "allow-change", allow_change,
        "keys that may differ from the checkpoint's on resume; with --init, model.init_from and in "
        "`evaluate`: data.tokenizer, model.weights, vision.weights");
  }
  void check(ConfigFaults* faults) const;
};

}  // namespace lynceus::train
