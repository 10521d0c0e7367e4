// What one check found: a verdict, the measured and the expected value, and one remedy.
//
// Checks of one rank (its limits, the GPUs of its node) run on every rank; merge() makes one
// finding of equal ones. Checks that compare ranks run on gathered facts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/communicator.h"

namespace lynceus::doctor {

/// In ascending order of weight. Unknown: the check itself could not be made.
enum class Verdict { kOk, kUnknown, kWarning, kCritical };
const char* name_of(Verdict verdict);

struct CheckResult {
  std::string check;  ///< "limits.open-files": group and name
  Verdict verdict = Verdict::kOk;
  std::string measured;
  std::string expected;                        ///< empty: nothing to compare with
  std::string remedy;                          ///< empty if and only if the verdict is ok
  std::string where;                           ///< "rank 3 on node2"; empty: all ranks
  std::map<std::string, double> figures = {};  ///< numbers of the check, for --json

  bool is_ok() const { return verdict == Verdict::kOk; }
  std::string group() const { return check.substr(0, check.find('.')); }
  std::string name() const { return check.substr(check.find('.') + 1); }
  bool operator==(const CheckResult&) const = default;
};
using CheckResults = std::vector<CheckResult>;

/// A finding without a fault.
CheckResult passed(std::string_view check, std::string measured);
/// `verdict` if it is not ok; otherwise passed().
CheckResult judged(std::string_view check, Verdict verdict, std::string measured,
                   std::string expected, std::string remedy);
/// The check could not be made: `reason`.
CheckResult not_checked(std::string_view check, std::string reason, std::string remedy);

Verdict worst_of(const CheckResults& findings);

/// "rank 3", "ranks 0, 2, 5", "ranks 0-7": ascending numbers.
std::string ranks_text(const std::vector<int>& ranks);

/// Collective. The findings of all ranks, by check in the order of their first appearance. Faults
/// that are equal on several ranks become one finding that names those ranks; of the ok ones the
/// first rank's is kept, unless the check has a fault somewhere. `node`: of this rank.
CheckResults merge(parallel::Communicator& world, const std::string& node,
                   const CheckResults& mine);
/// The same without ranks to ask: `by_rank[r]` and `nodes[r]` of rank r.
CheckResults merge(const std::vector<CheckResults>& by_rank, const std::vector<std::string>& nodes);

}  // namespace lynceus::doctor
