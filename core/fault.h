// Named fault points: places where a test can make this program fail.
//
//   LYNCEUS_FAULT="name[@rank][#nth[-last]]=kill|throw|hang|enospc|term|pause|slow|delay|do[,...]"
//
// The named point, on that rank (default: every rank), when it is reached for the nth time
// (default: the first) or from the nth to the last, kills the process with SIGKILL, throws an
// IoError, waits forever, throws the IoError of a full disk, sends itself SIGTERM as a scheduler
// would, stops until SIGCONT, sleeps for 60 ms (slow) or for 4 s (delay). "do" is for points that
// have an action of their own (LYNCEUS_FAULT_ASKED). Without the variable a point costs one test of
// a constant flag.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lynceus::fault {

enum class FaultAction { kKill, kThrow, kHang, kNoSpace, kTerminate, kPause, kSlow, kDelay, kDo };

/// One entry of the variable.
struct Plan {
  std::string name;
  int rank = -1;  ///< -1: every rank
  int nth = 1;    ///< counts from 1
  int last = 1;   ///< of the visits from nth on that the plan is for
  FaultAction action = FaultAction::kThrow;
};

/// UsageError naming the entry that is not of the form above.
std::vector<Plan> parse_plans(std::string_view text);

/// Whether LYNCEUS_FAULT is set.
extern const bool kArmed;

/// Takes the action that the environment sets for the point `name`; thread-safe. The rank is the
/// launcher's (Open MPI, PMIx or Slurm), 0 without one. Returns whether the action is "do".
bool reach(std::string_view name);

}  // namespace lynceus::fault

#define LYNCEUS_FAULT_POINT(name)                                \
  do {                                                           \
    if (::lynceus::fault::kArmed) ::lynceus::fault::reach(name); \
  } while (false)

/// Whether the environment asks for the action that only the place of this point can take.
#define LYNCEUS_FAULT_ASKED(name) (::lynceus::fault::kArmed && ::lynceus::fault::reach(name))
