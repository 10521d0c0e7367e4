// Compares systems on the items that both answered. Each difference is that of a later file to the
// first one, which is the baseline.
//
// An item's score is its `right`, or its `value` where the benchmark has no right and wrong. Pairs
// are made by benchmark, set, task and id, and only of items that one judge scored in both files:
// else a difference could be that of the judges.
//
// A difference is shown if the exact McNemar test is below 5 % (for values: there is no such test)
// and the bootstrap interval over media leaves 0 out. With more than one system against the
// baseline both are corrected for their number: p by Holm's rule, the interval's confidence by
// Bonferroni's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/bootstrap.h"
#include "evaluate/compare/item_file.h"
#include "evaluate/statistics.h"

namespace lynceus::evaluate {

struct CompareOptions {
  uint64_t seed = 0;  ///< of the bootstrap
  int64_t resamples = 10'000;
};

/// A figure of both systems, and the second minus the first.
struct PairedFigure {
  double first = 0;
  double second = 0;
  std::optional<Interval> interval;  ///< of the difference
  double difference() const { return second - first; }
};

/// A benchmark's set as a whole (class and task empty), a class or a task of it.
struct ComparedGroup {
  std::string class_;
  std::string task;
  int64_t pairs = 0;
  int64_t media = 0;                 ///< clusters of the bootstrap
  PairedFigure score;                ///< share of right answers, or mean value
  std::optional<PairCounts> counts;  ///< absent for values
  std::optional<double> p;           ///< exact McNemar test; absent for values
  double design_effect = 1;          ///< of several items of one medium
  std::optional<int64_t> needed;     ///< pairs; absent without a difference
  std::optional<PairedFigure> mme;   ///< MME's score: accuracy plus accuracy+, in percent
};

/// Items that make no pair.
struct UnpairedItems {
  int64_t only_first = 0;  ///< of all judges
  int64_t only_second = 0;
  int64_t not_scored = 0;  ///< in both files, without a score in one of them
  bool any() const { return only_first + only_second + not_scored > 0; }
};

/// A set of a benchmark with one judge, of two systems.
struct Comparison {
  size_t first = 0;  ///< index of the file
  size_t second = 0;
  std::string benchmark, set, judge;
  UnpairedItems unpaired;
  std::vector<ComparedGroup> groups;  ///< the whole set first; empty: no pair
  double confidence = 0.95;           ///< of the intervals
  std::optional<double> corrected_p;  ///< of the whole set
  bool is_shown = false;
  std::string sentence;
};

/// How far two judges agree on the same answers.
struct JudgeAgreement {
  std::string benchmark, set;
  size_t first_file = 0, second_file = 0;  ///< where the verdicts are; may be one file
  std::string first_judge, second_judge;
  int64_t items = 0;
  int64_t equal = 0;
  std::optional<double> kappa;  ///< Cohen's; absent where it is not defined
  std::optional<Interval> interval;
};

struct ComparisonReport {
  std::vector<Comparison> comparisons;
  std::vector<JudgeAgreement> agreements;
};

/// InputError if an item differs between files in its question, reference or class: they are of
/// different versions of the benchmark; and if no two files share an item. At least two files.
ComparisonReport compare(std::span<const ItemFile> files, const CompareOptions& options);

/// "A", "B", ... for the files.
std::string file_letter(size_t index);

}  // namespace lynceus::evaluate
