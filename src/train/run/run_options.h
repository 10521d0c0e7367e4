// Where a run lives and how it continues: the options in front of all sections.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config_faults.h"

namespace lynceus::train {

/// What holds for one start only. A run's config.ini and manifests leave it out: read again, it
/// would end the run, start it over or take it from its owner.
inline const std::vector<std::string> kOptionsOfOneStart = {"resume", "stop-after", "take-over",
                                                            "allow-change"};

struct RunOptions {
  std::string run = "runs/default";
  std::string resume = "auto";
  int64_t stop_after = 0;
  std::string init;
  bool take_over = false;
  std::vector<std::string> allow_change;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("run", run, "run directory: config, metrics, checkpoints");
    v.field("resume", resume, "auto: the newest whole checkpoint, if any; never; or a step");
    v.field("stop-after", stop_after,
            "end after that step with a committed checkpoint; 0: train.steps");
    v.field("init", init,
            "checkpoint whose values, frozen ones too, a new run starts from (stage 2 from stage "
            "1); or a "
            "released pretrain_lynx.pt, whose trained values it starts from");
    v.field("take-over", take_over, "take the run from a process that still holds it");
    v.list(
        "allow-change", allow_change,
        "keys that may differ from the resumed checkpoint's; with --init, model.init_from and in "
        "`evaluate` data.tokenizer, model.weights, vision.weights");
  }
  void check(ConfigFaults* faults) const;
};

}  // namespace lynceus::train
