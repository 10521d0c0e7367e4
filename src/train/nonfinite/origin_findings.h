// What each rank found about a step whose values are not finite, and what follows from it. The
// ranks gather their findings as text, and each draws the same conclusion from all.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "parallel/grid.h"
#include "train/nonfinite/nonfinite_origin.h"

namespace lynceus::train {

/// Each with the details that it has.
enum class NonfiniteFinding : char {
  kValue = 'v',           ///< a trained value or moment is not finite: parameter
  kEncoder = 'e',         ///< visual tokens are not finite: rank in grid.replica that encoded them
  kForward = 'f',         ///< a result is not finite although all input was
  kBackward = 'b',        ///< the same of the backward pass
  kBridge = 'w',          ///< some gradient is not finite
  kInput = 'i',           ///< the input from another stage was not finite
  kOutputGradient = 'h',  ///< the gradient from another stage was not finite
  kSum = 's',             ///< the step itself had bad numbers on this rank
  kGradient = 'g',        ///< a gradient of this rank alone: parameter
  kSummedGradient = 'r',  ///< a gradient after the sum over replicas: parameter
  kSample = 'k',          ///< a sample concerned: "INDEX DATASET KEY"
};

/// Those of one rank.
class RankFindings {
 public:
  RankFindings() = default;
  /// From the text() of a rank.
  explicit RankFindings(const std::string& text);

  /// Line breaks and tabs of a detail become spaces: keys of samples may contain any character.
  void add(NonfiniteFinding finding, const std::string& detail = "");
  void add(NonfiniteFinding finding, const std::vector<std::string>& details);
  void remove(NonfiniteFinding finding) { details_.erase(finding); }

  bool has(NonfiniteFinding finding) const { return details_.contains(finding); }
  /// In the order in which they were added.
  const std::vector<std::string>& of(NonfiniteFinding finding) const;
  std::string text() const;

 private:
  std::map<NonfiniteFinding, std::vector<std::string>> details_;
};

/// `all`: by rank of the world.
NonfiniteOrigin conclude(const parallel::GridShape& shape, std::vector<RankFindings> all);

}  // namespace lynceus::train
