// Gradients of several groups in one block of memory: the sums are exact, each over its own group
// and part, in few calls, without a copy, and start as soon as a bucket is complete.
#include "parallel/gradient_reducer.h"

#include <gmock/gmock.h>

#include <deque>

#include "parallel/mpi_session.h"

namespace lynceus::parallel {
namespace {

struct Case {
  Stream stream;
  std::unique_ptr<Communicator> world = make_world();
  std::unique_ptr<Communicator> pair = split(*world, world->rank() / 2, world->rank());
  std::unique_ptr<Communicator> alone = split(*world, world->rank(), 0);
  std::deque<Parameter> parameters;  // a deque: members point into it
  std::vector<GradientMember> members;

  Case() = default;
  Case(const Case&) = delete;

  void add(int64_t elements, Communicator* group, int part = 0) {
    Parameter& parameter = parameters.emplace_back();
    parameter.name = fmt::format("parameter {}", parameters.size() - 1);
    parameter.value = Tensor::zeros(stream, {elements});
    parameter.grad = Tensor::zeros(stream, {elements}, DType::kF32, MemoryOwner::kGradient);
    members.push_back({&parameter, group, part});
  }

  /// Whole numbers, so that sums are exact: element i of gradient k on rank r is 100 r + k + i.
  void fill() const {
    for (size_t k = 0; k < parameters.size(); ++k) fill(k);
  }
  void fill(size_t k) const {
    const auto values = parameters[k].grad.span<float>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(100 * world->rank() + static_cast<int>(k + i));
  }
  void expect_sum(size_t k, const std::vector<int>& ranks) const {
    const auto values = parameters[k].grad.span<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      float expected = 0;
      for (const int rank : ranks)
        expected += static_cast<float>(100 * rank + static_cast<int>(k + i));
      ASSERT_EQ(values[i], expected) << "gradient " << k << ", element " << i;
    }
  }
};

bool all(int) { return true; }

TEST(GradientReducer, SumsEachGradientOverItsGroup) {
  for (const size_t bucket_bytes : {size_t{4}, size_t{64}, size_t{400}, kGradientBucketBytes}) {
    Case c;
    const int even = c.world->rank() / 2 * 2;
    Communicator* groups[] = {c.world.get(), c.pair.get(), c.alone.get()};
    for (const int64_t size : {3, 40, 1, 7, 0, 100, 12, 5, 5, 5})
      c.add(size, groups[c.members.size() % 3]);
    GradientReducer reducer(c.stream, c.members, bucket_bytes);
    for (int step = 0; step < 2; ++step) {
      reducer.begin(all);
      c.fill();
      reducer.finish();
      for (size_t k = 0; k < 10; ++k) {
        if (k % 3 == 0) c.expect_sum(k, {0, 1, 2, 3});
        if (k % 3 == 1) c.expect_sum(k, {even, even + 1});
        if (k % 3 == 2) c.expect_sum(k, {c.world->rank()});
      }
    }
  }
}

TEST(GradientReducer, NeighboursTravelTogetherWithoutACopy) {
  Case c;
  for (int k = 0; k < 50; ++k) c.add(k == 25 ? 3000 : 16, c.world.get());
  GradientReducer reducer(c.stream, c.members, 1000 * sizeof(float));
  reducer.begin(all);
  c.fill();
  c.world->reset_counts();
  const size_t live = c.stream.pool()->live_bytes(MemoryOwner::kActivation);
  c.stream.pool()->reset_peaks();
  reducer.finish();
  EXPECT_EQ(c.world->counts().all_reduces, 3);  // 25 small ones, a large one, 24 small ones
  EXPECT_EQ(c.world->counts().bytes, static_cast<int64_t>((49 * 16 + 3008) * sizeof(float)));
  EXPECT_EQ(c.stream.pool()->peak_bytes(MemoryOwner::kActivation), live);
  for (size_t k = 0; k < 50; ++k) c.expect_sum(k, {0, 1, 2, 3});
}

TEST(GradientReducer, ABucketStartsWhenItsLastGradientIsComplete) {
  Case c;
  for (int k = 0; k < 6; ++k) c.add(16, c.world.get());
  GradientReducer reducer(c.stream, c.members, 2 * 16 * sizeof(float));  // two to a bucket
  reducer.begin(all);
  c.world->reset_counts();
  c.fill(0);
  reducer.complete(1);
  EXPECT_EQ(c.world->counts().all_reduces, 0);
  c.fill(1);
  c.fill(2);
  reducer.complete(3);
  EXPECT_EQ(c.world->counts().all_reduces, 1);
  reducer.complete(2);  // already complete
  EXPECT_EQ(c.world->counts().all_reduces, 1);
  for (size_t k = 3; k < 6; ++k) c.fill(k);  // long after the first bucket was started
  reducer.finish();
  EXPECT_EQ(c.world->counts().all_reduces, 3);
  for (size_t k = 0; k < 6; ++k) c.expect_sum(k, {0, 1, 2, 3});
  reducer.begin(all);
  for (size_t k = 0; k < 6; ++k) c.expect_sum(k, {});
}

TEST(GradientReducer, UntouchedGradientsAreUnchanged) {
  Case c;
  for (int k = 0; k < 6; ++k) c.add(16, c.world.get(), k / 2);
  GradientReducer reducer(c.stream, c.members);
  reducer.begin([](int part) { return part != 1; });
  c.fill();
  c.world->reset_counts();
  reducer.finish();
  EXPECT_EQ(c.world->counts().all_reduces, 2);
  for (size_t k = 0; k < 6; ++k)
    c.expect_sum(k, k / 2 == 1 ? std::vector<int>{c.world->rank()} : std::vector<int>{0, 1, 2, 3});
}

TEST(GradientReducer, AGroupOfOneMakesNoCalls) {
  Case c;
  c.add(10, c.alone.get());
  GradientReducer reducer(c.stream, c.members);
  reducer.begin(all);
  c.fill();
  reducer.finish();
  EXPECT_EQ(c.alone->counts().all_reduces, 0);
  c.expect_sum(0, {c.world->rank()});
}

TEST(GradientReducer, RefusesWhatItCannotReduce) {
  Case c;
  c.add(1, nullptr);
  EXPECT_THROW(GradientReducer(c.stream, c.members), InternalError);
  Case frozen;
  frozen.add(1, frozen.world.get());
  frozen.parameters[0].grad = Tensor();
  EXPECT_THROW(GradientReducer(frozen.stream, frozen.members), InternalError);
}

}  // namespace
}  // namespace lynceus::parallel
