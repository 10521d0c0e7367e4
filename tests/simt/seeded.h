// Kernels with one planted bug each, of kinds that occur in practice. The shim must catch each: by
// a report, or because the result is wrong. A block runs its threads in ascending or descending
// order; a bug that shows in only one order has a twin that shows in the other.
#pragma once

#include <string>
#include <vector>

#include "core/stream.h"

namespace lynceus::simt {

enum class Outcome { kRight, kWrong, kReported };

struct SeededBug {
  std::string name;
  bool (*run)(const Stream&);  ///< runs the kernel; returns whether the result is correct
  Outcome ascending;
  Outcome descending;
  std::string message;  ///< regular expression for the report
};

/// "MissingBarrierBeforeRead" and so on.
std::vector<SeededBug> seeded_bugs();

}  // namespace lynceus::simt
