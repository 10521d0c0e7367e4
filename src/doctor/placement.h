// Which cores, NUMA domains and devices the ranks of a node have.
#pragma once

#include <vector>

#include "doctor/check_result.h"
#include "doctor/facts.h"

namespace lynceus::doctor {

/// This rank's cores, threads, NUMA domains, and the devices of its node. `on_device`: it will
/// compute on a GPU.
void collect_placement(Facts* facts, bool on_device);

/// All checks of placement; each is a pure function of the facts of all ranks.
CheckResults check_placement(const std::vector<Facts>& ranks);

/// Ranks that must share cores: more ranks are bound within a set of cores than it has.
CheckResult check_shared_cores(const std::vector<Facts>& ranks);
/// Cores that no rank is bound to.
CheckResult check_unused_cores(const std::vector<Facts>& ranks);
/// More threads than cores; on CPUs also: at most half as many.
CheckResult check_threads(const std::vector<Facts>& ranks);
/// Ranks on several NUMA domains of a node that has at least as many ranks as domains.
CheckResult check_numa(const std::vector<Facts>& ranks);
/// GPUs that are next to another NUMA domain than their rank; the network cards.
CheckResult check_devices(const std::vector<Facts>& ranks);

}  // namespace lynceus::doctor
