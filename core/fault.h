// Named fault points: places where this program can be made to fail on purpose, to test what
// survives.
//
//   --fault "NAME[@RANK][#NTH[-LAST]]:ACTION[,...]"         of `lynceus train` and `prepare`
//   LYNCEUS_FAULT="NAME[@RANK][#NTH[-LAST]]=ACTION[,...]"   of every program
//
// The named point (core/fault_points.h), on that rank (default: every rank), when it is reached for
// the nth time (default: the first) or from the nth to the last, takes the action. `:` and `=` mean
// the same. If no point is armed, a point costs one test of a flag.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::fault {

enum class FaultAction { kKill, kThrow, kHang, kNoSpace, kTerminate, kPause, kSlow, kDelay, kDo };

/// What a point does when it fires.
struct FaultActionName {
  FaultAction action;
  const char* name;
  const char* meaning;  ///< one sentence for users
};
std::span<const FaultActionName> action_names();

/// One entry of the option or the variable.
struct Plan {
  std::string name;
  int rank = -1;  ///< -1: every rank
  int nth = 1;    ///< counts from 1
  int last = 1;   ///< of the visits from nth on that the plan is for
  FaultAction action = FaultAction::kThrow;

  bool operator==(const Plan&) const = default;
};

/// UsageError "ORIGIN: ..." for an entry that is not of the form above, for an unknown point (with
/// the nearest known one), and for the action `do` at a point that has none of its own.
std::vector<Plan> parse_plans(std::string_view text, const std::string& origin = "LYNCEUS_FAULT");

/// Adds plans to those of LYNCEUS_FAULT. To be called before threads start.
void arm(const std::vector<Plan>& plans);
bool is_armed();
/// "step.gradient on rank 1 at visit 5: do; ...", of all plans; empty: none.
std::string describe_armed();

/// Takes the action that is planned for the point `name`; thread-safe. The rank is the launcher's
/// (Open MPI, PMIx or Slurm), 0 without one. Returns whether the action is "do".
bool reach(std::string_view name);

}  // namespace lynceus::fault

#define LYNCEUS_FAULT_POINT(name)                                    \
  do {                                                               \
    if (::lynceus::fault::is_armed()) ::lynceus::fault::reach(name); \
  } while (false)

/// Whether a plan asks for the action that only the place of this point can take.
#define LYNCEUS_FAULT_ASKED(name) (::lynceus::fault::is_armed() && ::lynceus::fault::reach(name))
