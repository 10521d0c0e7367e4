// Counter-based random numbers: every value is a pure function of (seed, stream name, index), so it
// is the same on every grid and needs no state to save. The generator is splitmix64's finaliser
// over a keyed counter (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace lynceus {

constexpr uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

constexpr uint64_t hash_name(std::string_view name) {  // FNV-1a, 64 bits
  uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

/// A keyed family of random numbers, addressed by index.
class CounterRandom {
 public:
  constexpr CounterRandom(uint64_t seed, std::string_view name)
      : key_(mix64(hash_name(name) ^ mix64(seed + 0x9E3779B97F4A7C15ull))) {}

  constexpr uint64_t bits(uint64_t index) const {
    return mix64(key_ + (index + 1) * 0x9E3779B97F4A7C15ull);
  }
  /// Uniform in [0, 1).
  constexpr double uniform(uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }
  /// Uniform integer in [0, bound), bound > 0; bias below bound / 2^64.
  constexpr uint64_t below(uint64_t index, uint64_t bound) const {
    __extension__ typedef unsigned __int128 Wide;
    return static_cast<uint64_t>((static_cast<Wide>(bits(index)) * bound) >> 64);
  }
  /// Standard normal (Box-Muller).
  double normal(uint64_t index) const {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(2 * index)));
    return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * index + 1));
  }

 private:
  uint64_t key_;
};

}  // namespace lynceus
