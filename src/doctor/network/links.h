// Pairs of ranks: one rank of each node, or all ranks of one node. Each pair exchanges messages
// there and back; those between nodes run in rounds in which every node is in one pair, those
// within a node one after another.
//
// The rule for a slow rank or pair: its time is more than kSlowFactor times the median, and longer
// by kSlowSeconds, in each of kMeasurements measurements. A rank counts with its fastest pair;
// pairs of a slow rank are not named again. With fewer than three pairs there is nothing to
// compare.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/facts.h"

namespace lynceus::doctor {

/// The time of one message between two ranks, half of there and back.
struct Link {
  int a = 0, b = 0;
  double seconds = 0;
  std::string damage;  ///< wrong data, and where; empty: none
};

constexpr double kSlowFactor = 3;
constexpr int kMeasurements = 3;

/// "rank 3 is slow to all others: 50.0 ms, median 0.3 ms"; empty: none is slow.
/// `slow_seconds`: the least difference that counts.
std::string slowest(const std::vector<Link>& links, double slow_seconds);

struct LinkOptions {
  bool quick = false;
  double seconds = 5;  ///< about
};

/// Collective.
CheckResult check_links(parallel::Communicator& world, const std::vector<Facts>& ranks,
                        const LinkOptions& options);

/// Rounds of pairs of 0 .. count-1, so that each pair is in one round and nobody is twice in one.
std::vector<std::vector<std::pair<int, int>>> rounds_of(int count);

}  // namespace lynceus::doctor
