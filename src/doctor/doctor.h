// `lynceus doctor`: checks the launch, the machine, the network and the storage of a run on the
// grid that will run it, before it spends node-hours.
#pragma once

#include <functional>
#include <string>

#include "core/config/config.h"
#include "doctor/report.h"
#include "parallel/runtime.h"
#include "train/run/run_config.h"

namespace lynceus::doctor {

struct DoctorOptions {
  bool quick = false;
  std::string directory;  ///< whose file system is checked; empty: none
  std::string device = "auto";
  bool has_model = false;  ///< the config names one, so that its needs are known
  bool shows_progress = true;
  /// The runtime on a grid of this shape. Collective; called at most once.
  std::function<Runtime(const parallel::GridShape&)> make_runtime;
};

/// Collective over the world. `reader` has filled `config`. The report is complete on rank 0; the
/// verdict is the same on every rank. Faults of the machine are findings, not errors.
DoctorReport examine(parallel::Communicator& world, train::RunConfig* config, ConfigReader* reader,
                     const DoctorOptions& options);

}  // namespace lynceus::doctor
