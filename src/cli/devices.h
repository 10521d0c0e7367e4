// Which device a rank computes on, and what the log says about those of all ranks.
#pragma once

#include <string>

#include "core/device.h"
#include "core/stream.h"
#include "parallel/communicator.h"

namespace lynceus::cli {

/// Collective. The device of this rank for --device `wanted`: auto, cpu or cuda. All ranks use the
/// same kind. Errors, on all ranks: UsageError if cuda is wanted and a rank has no GPU, or if a GPU
/// is there and cannot be used (an old driver).
Device choose_device(parallel::Communicator& world, const std::string& wanted);

/// Collective. UsageError on all ranks if this program has no code for the device of one.
void refuse_lacking_code(parallel::Communicator& world, const Stream& stream);

/// Collective. One line for each node with the device, its UUID and NUMA node of each rank; nothing
/// on CPUs. A warning if --transport `wanted` is auto and tensors will be sent through host memory.
void log_devices(parallel::Communicator& world, const Stream& stream, const std::string& wanted);

}  // namespace lynceus::cli
