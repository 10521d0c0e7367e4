// Lets a test control and observe the stand-in's matrix products (tests/standin/cublaslt.cpp). The
// library offers several algorithms, numbered from 0, its default; all compute the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lynceus::standin {

struct Products {
  std::vector<int> ways;  ///< the algorithms of the products so far
  /// Those with rows that do not all begin at a multiple of 16 bytes, "a 588 x 64 of 2 bytes": much
  /// slower on a device.
  std::vector<std::string> misaligned;
  std::function<double(int way)> milliseconds = [](int) { return 1.0; };  ///< called for each run
  /// Whether the algorithm supports a product with these rows and columns (column-major).
  std::function<bool(int way, int64_t rows, int64_t cols)> fits = [](int, int64_t, int64_t) {
    return true;
  };
};

/// The object controls and records all later products; null: none does.
void watch_products(Products* products);

}  // namespace lynceus::standin
