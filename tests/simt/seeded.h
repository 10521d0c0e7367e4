// Kernels with one planted bug each, as they are made in earnest, which the shim must catch: it
// reports them, or they compute what is wrong. A block runs its threads in ascending or descending
// order, and some bugs show in one of them only; those have a twin that shows in the other.
#pragma once

#include <string>
#include <vector>

#include "core/stream.h"

namespace lynceus::simt {

enum class Outcome { kRight, kWrong, kReported };

struct SeededBug {
  std::string name;
  bool (*run)(const Stream&);  ///< runs the kernel; whether the result is right
  Outcome ascending;
  Outcome descending;
  std::string message;  ///< of the report, as a regular expression
};

/// "MissingBarrierBeforeRead" and so on.
std::vector<SeededBug> seeded_bugs();

}  // namespace lynceus::simt
