// The search for the fastest algorithm; the stand-in for the device sets the time of each algorithm
// and reports which one was used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/gemm.h"
#include "tests/kernels/kernel_test.h"
#include "tests/standin/products.h"

namespace lynceus::kernels {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;

constexpr int kFastest = 3;

class ProductSearchTest : public testing::Test {
 protected:
  static constexpr int64_t kIn = 24, kOut = 16;

  ProductSearchTest() {
    products_.milliseconds = [](int way) { return way == kFastest ? 1.0 : 2.0 + way; };
    standin::watch_products(&products_);
  }
  ~ProductSearchTest() override { standin::watch_products(nullptr); }

  Tensor random(const Shape& shape, const std::string& name) const {
    return Tensor::from(stream_, shape, random_floats(shape.elements(), name));
  }

  /// The algorithms used for a forward product over `rows` rows, preceded by trials.
  std::vector<int> ways_of(int64_t rows) {
    const Tensor x = random({rows, kIn}, "x"), y = Tensor::empty(stream_, {rows, kOut});
    products_.ways.clear();
    linear_forward(stream_, x, w_, nullptr, y);
    return products_.ways;
  }

  standin::Products products_;
  Stream stream_{Device{DeviceKind::kCuda, 0}};
  Tensor w_ = random({kOut, kIn}, "w");
};

TEST_F(ProductSearchTest, IsOffAtFirst) {
  EXPECT_THAT(ways_of(5), ElementsAre(0));
  EXPECT_THAT(ways_of(6), ElementsAre(0));
}

TEST_F(ProductSearchTest, KeepsTheFastestForAllRowsOfAClass) {
  search_products(stream_, true);
  const auto trials = ways_of(100);
  EXPECT_GT(trials.size(), 10u);
  EXPECT_EQ(trials.back(), kFastest);
  EXPECT_THAT(ways_of(100), ElementsAre(kFastest));
  for (const int64_t rows : {1, 77, 128}) EXPECT_THAT(ways_of(rows), ElementsAre(kFastest));
  EXPECT_THAT(ways_of(129), SizeIs(trials.size()));
}

TEST_F(ProductSearchTest, TheRowsOfAWeightGradientAreItsTerms) {
  search_products(stream_, true);
  const Tensor dw = Tensor::zeros(stream_, {kOut, kIn});
  const auto ways = [&](int64_t rows) {
    products_.ways.clear();
    linear_backward_weight(stream_, random({rows, kOut}, "dy"), random({rows, kIn}, "x"), dw,
                           nullptr);
    return products_.ways;
  };
  const size_t trials = ways(100).size();
  EXPECT_GT(trials, 10u);
  EXPECT_THAT(ways(101), ElementsAre(kFastest));
  EXPECT_THAT(ways(129), SizeIs(trials));
}

TEST_F(ProductSearchTest, OneSlowRunDoesNotDecide) {
  int runs = 0;
  products_.milliseconds = [&runs](int way) {
    if (way != kFastest) return 2.0;
    return ++runs == 3 ? 1000.0 : 1.0;
  };
  search_products(stream_, true);
  EXPECT_EQ(ways_of(5).back(), kFastest);
}

TEST_F(ProductSearchTest, WhatIsAddedIsAddedOnce) {
  const Tensor dy = random({7, kOut}, "dy"), x = random({7, kIn}, "x");
  const auto gradients = [&] {
    const Tensor dx = random({7, kIn}, "dx"), dw = random({kOut, kIn}, "dw");
    linear_backward_input(stream_, dy, w_, dx, true);
    linear_backward_weight(stream_, dy, x, dw, nullptr);
    return std::pair(dx.to_vector<float>(), dw.to_vector<float>());
  };
  const auto expected = gradients();
  search_products(stream_, true);
  products_.ways.clear();
  EXPECT_EQ(gradients(), expected);
  EXPECT_GT(products_.ways.size(), 20u);
}

TEST_F(ProductSearchTest, AWayThatDoesNotFitIsLeftToTheLibrary) {
  products_.fits = [](int way, int64_t, int64_t cols) { return way != kFastest || cols != 50; };
  search_products(stream_, true);
  EXPECT_EQ(ways_of(40).back(), kFastest);
  EXPECT_THAT(ways_of(50), ElementsAre(0));
  EXPECT_THAT(ways_of(60), ElementsAre(kFastest));
}

TEST_F(ProductSearchTest, OffAgainIsTheGuessAgain) {
  search_products(stream_, true);
  EXPECT_EQ(ways_of(5).back(), kFastest);
  search_products(stream_, false);
  EXPECT_THAT(ways_of(5), ElementsAre(0));
  search_products(stream_, true);
  EXPECT_THAT(ways_of(5), ElementsAre(kFastest));
}

TEST(ProductSearchOnCpusTest, ThereIsNothingToSearch) { search_products(Stream(), true); }

}  // namespace
}  // namespace lynceus::kernels
