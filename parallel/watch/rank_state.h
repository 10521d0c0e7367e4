// What a rank is doing, as text: a rank writes it, another one reads it when they cannot
// communicate. One line for each fact:
//
//   rank 3 of 8
//   section step 12          the section and the completed steps
//   stalled 61.250 limit 60  seconds without progress, and how many are allowed
//   written 1764504301.125   seconds of the system clock
//   group 345 data group 0   collectives begun, name
//   call all_reduce 345 4096 inside 61.300
//   end
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parallel/grid.h"
#include "parallel/watch/call_ring.h"

namespace lynceus::parallel {

/// One communicator of a rank.
struct GroupState {
  std::string name;
  int64_t collectives = 0;          ///< begun so far
  std::vector<RecordedCall> calls;  ///< CallRing::recent
};

struct RankState {
  int rank = 0;
  int ranks = 1;
  std::string section;
  int64_t step = 0;    ///< completed
  double stalled = 0;  ///< seconds since the last sign of progress
  double limit = 0;    ///< of the section, seconds; 0: none
  double written = 0;  ///< when, seconds of the system clock
  std::vector<GroupState> groups;
};

/// Seconds since 1970.
double system_seconds();

/// The groups of several ranks of a grid: their names and recent calls. On any thread. `steps`:
/// those that the steps use; `saving`: Grid::saving.
std::vector<GroupState> group_states(const Grid& grid, bool steps = true, bool saving = true);

std::string to_text(const RankState& state);
/// The times in it count until now. nullopt if the text is incomplete or is none of to_text().
std::optional<RankState> parse_rank_state(const std::string& text);

}  // namespace lynceus::parallel
