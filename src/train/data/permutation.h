// The order of samples within an epoch: a keyed permutation of 0 .. size-1 without a stored list. A
// Feistel network over the next even number of bits is applied until the value is below size
// (Black, Rogaway: Ciphers with arbitrary finite domains, 2002).
#pragma once

#include <bit>
#include <cstdint>

#include "core/check.h"
#include "core/random.h"

namespace lynceus::train {

class Permutation {
 public:
  Permutation(uint64_t size, uint64_t key) : size_(size), key_(key) {
    LYNCEUS_CHECK(size > 0, "a permutation of 0 elements");
    const int bits = std::bit_width(size - 1);
    half_bits_ = (bits + 1) / 2;
  }

  /// The new place of `index`; index < size.
  uint64_t operator()(uint64_t index) const {
    if (half_bits_ == 0) return index;
    do index = encrypt(index);
    while (index >= size_);
    return index;
  }

 private:
  uint64_t encrypt(uint64_t value) const {
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    uint64_t left = value >> half_bits_, right = value & mask;
    for (uint64_t round = 0; round < 6; ++round) {
      const uint64_t mixed = mix64(key_ + mix64(right + (round << 58)));
      const uint64_t next = left ^ (mixed & mask);
      left = right;
      right = next;
    }
    return left << half_bits_ | right;
  }

  uint64_t size_;
  uint64_t key_;
  int half_bits_ = 0;
};

}  // namespace lynceus::train
