// What `lynceus train` is asked for: its options, read and checked before any file but the configs
// is opened. `lynceus submit` checks them before a job waits in the queue.
#pragma once

#include "cli/command.h"
#include "cli/runtime.h"
#include "core/config/config.h"
#include "train/run/run_config.h"

namespace lynceus::cli {

struct TrainOptions {
  TrainOptions() {
    reader.add(device);
    reader.add(config);
  }
  TrainOptions(const TrainOptions&) = delete;
  TrainOptions& operator=(const TrainOptions&) = delete;

  /// `arguments`: after `lynceus train`. UsageError: unknown keys, missing configs, values out of
  /// range, no model.
  CommandLine read(const Arguments& arguments);

  train::RunConfig config;
  DeviceConfig device;
  ConfigReader reader;
};

}  // namespace lynceus::cli
