// Whether the ranks belong together: one world, one program, one config, a sensible distribution
// over nodes.
#pragma once

#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/facts.h"
#include "parallel/grid.h"
#include "parallel/launch/launch_environment.h"

namespace lynceus::doctor {

/// The program's digest and version, the process. IoError if the program cannot be read.
void collect_launch(Facts* facts);

/// The size of the world against the variables of the launcher (rank 0's).
CheckResult check_world(const parallel::Environment& environment, int world_size);
CheckResult check_program(const std::vector<Facts>& ranks);
/// The nodes and how many ranks each of them has.
CheckResult check_nodes(const std::vector<Facts>& ranks);
/// `difference`: of the configs of the ranks, as train::check_same_everywhere() says it; empty:
/// there is none.
CheckResult check_config(const std::string& difference, size_t keys);

/// The grid of the config over `ranks`; `fault`: none fits. A size `data` of 0 becomes what is
/// left.
struct FittedGrid {
  parallel::GridShape shape;
  std::string fault;
};
FittedGrid fit_grid(int64_t tensor, int64_t pipeline, int64_t data, int ranks);
/// Whether the grid fits, and tensor groups stay within a node.
CheckResult check_grid(const FittedGrid& grid, const std::vector<Facts>& ranks);

}  // namespace lynceus::doctor
