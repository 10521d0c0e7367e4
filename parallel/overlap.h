// What may run concurrently with arithmetic on a device (parallel.overlap). A part changes only
// when work runs: samples and order stay the same, and a sum that is cut into parts may round
// differently. On CPUs a communication call returns when it has finished, so all parts are the same
// as none.
#pragma once

#include <cstdint>
#include <string_view>

namespace lynceus::parallel {

struct Overlap {
  bool gradients = true;  ///< the sum over replicas, during backward
  bool pipeline = true;   ///< transfers between stages, during the next micro-batch
  bool tensor = true;     ///< the sum over tensor ranks of some rows, during the products of others
  bool vision = true;     ///< the frozen vision encoder of the next step, during this step
  /// A part of the rows that `tensor` cuts has at least so many: products of fewer rows leave most
  /// of a device idle.
  int64_t tensor_rows = 1024;

  static Overlap none() {
    return {.gradients = false, .pipeline = false, .tensor = false, .vision = false};
  }
  bool operator==(const Overlap&) const = default;
};

/// "all", "none", or parts by name: "gradients,vision". Anything else is a UsageError.
Overlap parse_overlap(std::string_view text);

}  // namespace lynceus::parallel
