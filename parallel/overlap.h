// What may run beside arithmetic on a device (parallel.overlap). Each part changes when things run
// and nothing about the mathematics: sums may round differently where they are cut, samples,
// gradients and order stay. On CPUs communication has ended when its call returns, and all parts
// are the same as none.
#pragma once

#include <string_view>

namespace lynceus::parallel {

struct Overlap {
  bool gradients = true;  ///< the sum over replicas, under backward
  bool pipeline = true;   ///< transfers between stages, under the next micro-batch
  bool tensor = true;     ///< the sum over tensor ranks of some rows, under the products of others
  bool vision = true;     ///< the next step's frozen encoder, beside this step

  static Overlap none() { return {false, false, false, false}; }
  bool operator==(const Overlap&) const = default;
};

/// "all", "none", or parts by name: "gradients,vision". Anything else is a UsageError.
Overlap parse_overlap(std::string_view text);

}  // namespace lynceus::parallel
