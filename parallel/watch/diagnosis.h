// Which ranks keep the others waiting, deduced from what each rank was in.
//
// A rank waits if the call that it is in, or else the oldest one on its device that is not done, is
// a collective that another rank of the group has not begun, or an exchange. Named are, of the
// first kind that occurs:
//   silent     ranks without a state: the process is stopped or dead, or its node does not answer
//   differing  ranks whose call of a number differs from what most ranks of the group called
//   hanging    ranks that do not wait, while others wait for them
//   circle     all ranks wait: those in the call that the fewest are in
//   none       all ranks are in the same call: the network or the library hangs
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parallel/watch/rank_state.h"

namespace lynceus::parallel {

struct Diagnosis {
  enum class Kind { kSilent, kDiffering, kHanging, kCircle, kSameCall };

  Kind kind = Kind::kSameCall;
  std::vector<int> ranks;  ///< that are named, ascending; none for kSameCall
  std::string what;        ///< "rank 2 (node3, process 711) hangs: ..."
  std::string states;      ///< what each rank was in, a line for ranks in the same
};

/// `states`: by rank, nullopt where there is none. `names`: "node3, process 711" by rank.
Diagnosis diagnose(const std::vector<std::optional<RankState>>& states,
                   const std::vector<std::string>& names);

/// The most seconds that a rank which does not wait may still take by its own limit: meanwhile the
/// others have no reason to end the job. 0: none may; infinity: a section without a limit.
double seconds_left(const std::vector<std::optional<RankState>>& states);

/// "0-2,5" from ascending numbers.
std::string ranges(const std::vector<int>& numbers);

}  // namespace lynceus::parallel
