// What a test says and sees of the stand-in's matrix products (tests/standin/cublaslt.cpp). The
// library offers several ways to multiply, numbered from 0, its guess; all give the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace lynceus::standin {

struct Products {
  std::vector<int> ways;  ///< of the products given so far
  std::function<double(int way)> milliseconds = [](int) { return 1.0; };  ///< asked at each run
  /// Whether a way does for a product of these rows and columns, columns first.
  std::function<bool(int way, int64_t rows, int64_t cols)> fits = [](int, int64_t, int64_t) {
    return true;
  };
};

/// From now on products are done as the object says and told to it; null: nobody watches.
void watch_products(Products* products);

}  // namespace lynceus::standin
