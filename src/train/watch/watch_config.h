// The section [watchdog]: how long a rank may make no progress, and when a rank counts as slow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/config/faults.h"

namespace lynceus::train {

/// What a rank is in. Waiting for other ranks belongs to the section of the call.
enum class Section { kInit, kLoad, kData, kStep, kEvaluate, kCheckpoint };
constexpr int kSections = 6;

/// As in the keys of the section: "init".
const char* name_of(Section section);

struct WatchConfig {
  std::string init = "auto";
  std::string load = "auto";
  std::string data = "auto";
  std::string step = "auto";
  std::string evaluate = "auto";
  std::string checkpoint = "auto";
  double slow_factor = 1.5;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("watchdog", "limits for ranks that hang, are slow or compute something else");
    v.field("watchdog.init", init,
            "seconds without progress before a rank counts as hanging while the run opens its "
            "files; auto, or 0: no limit");
    v.field("watchdog.load", load, "the same while weights and checkpoints are read");
    v.field("watchdog.data", data, "the same while the next batch is waited for");
    v.field("watchdog.step", step, "the same in a step");
    v.field("watchdog.evaluate", evaluate, "the same in a validation");
    v.field("watchdog.checkpoint", checkpoint, "the same while a checkpoint is saved");
    v.field("watchdog.slow_factor", slow_factor,
            "a rank that takes this many times the median of its stage is named in the log; 0: "
            "none is");
  }
  void check(ConfigFaults* faults) const;

  /// Seconds that the key of the section gives; nullopt: auto.
  std::optional<double> given(Section section) const;
};

/// The limit that auto means: five times the longest that the section took in this process, at
/// least a floor; before it was completed once, half an hour, or an hour for load. Seconds.
double automatic_limit(Section section, double longest);

}  // namespace lynceus::train
