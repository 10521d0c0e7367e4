// Whether the kernels of this program can run on a device.
#pragma once

#include <string>

#include "core/stream.h"

namespace lynceus::kernels {

/// The code for devices in this program, "compute capability 9.0, built for 80-real 90a-real";
/// empty on CPUs.
std::string device_code(const Stream& stream);
/// Why the kernels cannot run on the stream's device, with its compute capability and those that
/// this program was built for; empty: they can.
std::string lacking_device_code(const Stream& stream);

}  // namespace lynceus::kernels
