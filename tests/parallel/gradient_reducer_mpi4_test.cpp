// Gradients of two groups in one list: the sums are exact, each over its own group, in few calls
// and little memory, and do not depend on where the tensors lie.
#include "parallel/gradient_reducer.h"

#include <gmock/gmock.h>

namespace lynceus::parallel {
namespace {

struct Case {
  Stream stream;
  std::unique_ptr<Communicator> world = make_world();
  std::unique_ptr<Communicator> pair = split(*world, world->rank() / 2, world->rank());
  std::unique_ptr<Communicator> alone = split(*world, world->rank(), 0);

  /// Whole numbers, so that sums are exact: element i of tensor k on rank r is 100 r + k + i.
  Tensor grad(int64_t elements, int64_t k) const {
    const Tensor tensor = Tensor::empty(stream, {elements});
    for (int64_t i = 0; i < elements; ++i)
      tensor.data<float>()[i] = static_cast<float>(100 * world->rank() + k + i);
    return tensor;
  }
};

void expect_sum(const Tensor& grad, int64_t k, const std::vector<int>& ranks) {
  for (int64_t i = 0; i < grad.size(); ++i) {
    float expected = 0;
    for (const int rank : ranks) expected += static_cast<float>(100 * rank + k + i);
    ASSERT_EQ(grad.data<float>()[i], expected) << "tensor " << k << ", element " << i;
  }
}

TEST(GradientReducer, SumsEachGradientOverItsGroup) {
  const Case c;
  const int even = c.world->rank() / 2 * 2;
  for (const size_t bucket_bytes : {size_t{4}, size_t{64}, size_t{400}, kGradientBucketBytes}) {
    std::vector<GradientReduction> reductions;
    const int64_t sizes[] = {3, 40, 1, 7, 0, 100, 12, 5, 5, 5};
    Communicator* groups[] = {c.world.get(), c.pair.get(), c.alone.get()};
    for (int64_t k = 0; k < 10; ++k) reductions.push_back({c.grad(sizes[k], k), groups[k % 3]});
    reduce_gradients(c.stream, reductions, bucket_bytes);
    for (int64_t k = 0; k < 10; ++k) {
      const Tensor& grad = reductions[static_cast<size_t>(k)].grad;
      if (k % 3 == 0) expect_sum(grad, k, {0, 1, 2, 3});
      if (k % 3 == 1) expect_sum(grad, k, {even, even + 1});
      if (k % 3 == 2) expect_sum(grad, k, {c.world->rank()});
    }
  }
}

TEST(GradientReducer, SmallGradientsTravelTogetherLargeOnesAloneWithoutACopy) {
  const Case c;
  std::vector<GradientReduction> reductions;
  for (int64_t k = 0; k < 50; ++k) {
    const bool large = k == 25 || k == 49;  // half a bucket each
    reductions.push_back({c.grad(large ? 500 : 10, k), c.world.get()});
  }
  reductions.push_back({c.grad(3000, 50), c.world.get()});
  const size_t live = c.stream.pool()->live_bytes(MemoryOwner::kActivation);
  c.stream.pool()->reset_peaks();
  c.world->reset_counts();
  reduce_gradients(c.stream, reductions, 1000 * sizeof(float));
  EXPECT_EQ(c.world->counts().all_reduces, 4);
  EXPECT_EQ(c.world->counts().bytes, static_cast<int64_t>((480 + 2 * 500 + 3000) * sizeof(float)));
  EXPECT_LE(c.stream.pool()->peak_bytes(MemoryOwner::kActivation) - live, 1000 * sizeof(float));
  for (int64_t k = 0; k <= 50; ++k)
    expect_sum(reductions[static_cast<size_t>(k)].grad, k, {0, 1, 2, 3});
}

TEST(GradientReducer, AGroupOfOneAsksForNothing) {
  const Case c;
  const GradientReduction reductions[] = {{c.grad(10, 0), c.alone.get()}};
  reduce_gradients(c.stream, reductions);
  EXPECT_EQ(c.alone->counts().all_reduces, 0);
  expect_sum(reductions[0].grad, 0, {c.world->rank()});
}

TEST(GradientReducer, RefusesAGradientWithoutAGroup) {
  const Case c;
  const GradientReduction reductions[] = {{c.grad(1, 0), nullptr}};
  EXPECT_THROW(reduce_gradients(c.stream, reductions), InternalError);
}

}  // namespace
}  // namespace lynceus::parallel
