// The list of all fault points, for `--fault help` and to refuse misspelled names. A new
// LYNCEUS_FAULT_POINT or LYNCEUS_FAULT_ASKED needs a row in fault_points.cpp; the test
// core.fault_points_test compares the list with the sources.
#pragma once

#include <span>
#include <string>

namespace lynceus::fault {

struct FaultPoint {
  const char* name;
  const char* place;  ///< one sentence for users: where the program is when it reaches the point
  bool has_action = false;  ///< LYNCEUS_FAULT_ASKED: the action `do` is possible, and `place` says
                            ///< what it does
};

/// Ascending by name.
std::span<const FaultPoint> fault_points();

/// The page of `--fault help`: form, points and actions.
std::string fault_help();

}  // namespace lynceus::fault
