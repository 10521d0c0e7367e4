// What may run concurrently with arithmetic on a device (parallel.overlap). A part changes only
// when work runs: samples and order stay the same, and a sum that is cut into parts may round
// differently. On CPUs a communication call returns when it has finished, so all parts are the same
// as none.
#pragma once

#include <string_view>

namespace lynceus::parallel {

struct Overlap {
  bool gradients = true;  ///< the sum over replicas, during backward
  bool pipeline = true;   ///< transfers between stages, during the next micro-batch
  bool tensor = true;     ///< the sum over tensor ranks of some rows, during the products of others
  bool vision = true;     ///< the frozen vision encoder of the next step, during this step

  static Overlap none() { return {false, false, false, false}; }
  bool operator==(const Overlap&) const = default;
};

/// "all", "none", or parts by name: "gradients,vision". Anything else is a UsageError.
Overlap parse_overlap(std::string_view text);

}  // namespace lynceus::parallel
