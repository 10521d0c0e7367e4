// Groups that move device tensors: every call in every dtype at odd sizes, in the order of the
// compute stream and concurrently with it, several groups at once. Run with 2, 4 and 8 ranks by
// each transport.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "parallel/device_transport.h"
#include "parallel/mpi_session.h"
#include "parallel/nccl_transport.h"
#include "tests/parallel/device/device_test.h"

namespace lynceus::parallel {
namespace {

constexpr int64_t kSizes[] = {0, 1, 5, 1023, 70001};

template <typename T>
class DeviceCommunicatorOf : public testing::Test {
 protected:
  const std::unique_ptr<Communicator> host_ = make_world();
  const int rank_ = host_->rank();
  const int size_ = host_->size();
  const Stream stream_ = device_stream(rank_);
  const std::unique_ptr<Communicator> world_ = device_world(stream_);
};
using Types = testing::Types<float, double, BFloat16, int32_t, int64_t, uint8_t>;
TYPED_TEST_SUITE(DeviceCommunicatorOf, Types);

TYPED_TEST(DeviceCommunicatorOf, AllReduces) {
  for (const int64_t n : kSizes) {
    std::vector<int> sum(static_cast<size_t>(n)), most = sum, least(sum.size(), 100);
    for (int rank = 0; rank < this->size_; ++rank) {
      const std::vector<int> values = whole_numbers(n, rank);
      for (size_t i = 0; i < values.size(); ++i) {
        sum[i] += values[i];
        most[i] = std::max(most[i], values[i]);
        least[i] = std::min(least[i], values[i]);
      }
    }
    const auto reduced = [&](ReduceOp op) {
      const Tensor x = tensor_of<TypeParam>(this->stream_, whole_numbers(n, this->rank_));
      this->world_->all_reduce(x, op);
      return values_of<TypeParam>(x);
    };
    EXPECT_EQ(reduced(ReduceOp::kSum), sum) << n;
    EXPECT_EQ(reduced(ReduceOp::kMax), most) << n;
    EXPECT_EQ(reduced(ReduceOp::kMin), least) << n;
  }
}

TYPED_TEST(DeviceCommunicatorOf, GathersAndScatters) {
  for (const int64_t n : kSizes) {
    std::vector<int> all;
    for (int rank = 0; rank < this->size_; ++rank) {
      const std::vector<int> values = whole_numbers(n, rank);
      all.insert(all.end(), values.begin(), values.end());
    }
    const Tensor x = tensor_of<TypeParam>(this->stream_, whole_numbers(n, this->rank_));
    const Tensor y = Tensor::zeros(this->stream_, {this->size_ * n}, x.dtype());
    this->world_->all_gather(x, y);
    EXPECT_EQ(values_of<TypeParam>(y), all) << n;

    const Tensor in_place = Tensor::zeros(this->stream_, {this->size_ * n}, x.dtype());
    const Tensor mine = in_place.slice(this->rank_ * n, n);
    mine.copy_from(x);
    this->world_->all_gather(mine, in_place);
    EXPECT_EQ(values_of<TypeParam>(in_place), all) << n;

    const Tensor part = Tensor::empty(this->stream_, {n}, x.dtype());
    this->world_->reduce_scatter(y, part);
    std::vector<int> expected = whole_numbers(n, this->rank_);
    for (int& value : expected) value *= this->size_;
    EXPECT_EQ(values_of<TypeParam>(part), expected) << n;
  }
}

TYPED_TEST(DeviceCommunicatorOf, BroadcastsFromEveryRoot) {
  for (const int64_t n : kSizes)
    for (int root = 0; root < this->size_; ++root) {
      const Tensor x = tensor_of<TypeParam>(this->stream_, whole_numbers(n, this->rank_));
      this->world_->broadcast(x, root);
      EXPECT_EQ(values_of<TypeParam>(x), whole_numbers(n, root)) << n;
    }
}

TYPED_TEST(DeviceCommunicatorOf, ExchangesInBothDirections) {
  // Two tensors and an empty one between them to every rank, itself included; the orders of the two
  // sides differ.
  std::vector<Transfer> sends, receives;
  for (int step = 0; step < this->size_; ++step) {
    const int to = (this->rank_ + step) % this->size_;
    for (const int64_t n : {1001, 0, 3})
      sends.push_back(
          {to, tensor_of<TypeParam>(this->stream_, whole_numbers(n, 10 * this->rank_ + to))});
  }
  for (int from = this->size_ - 1; from >= 0; --from)
    for (const int64_t n : {1001, 3})
      receives.push_back({from, Tensor::empty(this->stream_, {n}, sends[0].tensor.dtype())});
  this->world_->exchange(sends, receives);
  for (const auto& [peer, tensor] : receives)
    EXPECT_EQ(values_of<TypeParam>(tensor), whole_numbers(tensor.size(), 10 * peer + this->rank_));
}

class DeviceCommunicator : public DeviceCommunicatorOf<float> {
 protected:
  /// Bit-equal on all ranks.
  bool agrees(const Tensor& x) {
    const Tensor mine = x.clone(Stream());
    const Tensor first = mine.clone(Stream());
    host_->broadcast(first, 0);
    const int64_t equal = std::memcmp(mine.raw(), first.raw(), mine.bytes()) == 0 ? 1 : 0;
    return host_->all_reduce(equal, ReduceOp::kMin) == 1;
  }
};

TEST_F(DeviceCommunicator, SumsAreBitEqualOnAllRanks) {
  std::mt19937 random(static_cast<unsigned>(rank_));
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(5003);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::ldexp(uniform(random), static_cast<int>(i % 40) - 20);
  const Tensor x = Tensor::from(stream_, {5003}, values);
  world_->all_reduce(x);
  EXPECT_TRUE(agrees(x));

  std::vector<BFloat16> rounded;
  for (const float value : values) rounded.push_back(BFloat16(value));
  const Tensor narrow = Tensor::from(stream_, {5003}, rounded);
  const Tensor wide = Tensor::empty(Stream(), {5003});
  std::transform(rounded.begin(), rounded.end(), wide.data<float>(),
                 [](BFloat16 value) { return static_cast<float>(value); });
  world_->all_reduce(narrow);
  EXPECT_TRUE(agrees(narrow));
  // As if added in f32 and rounded once (two orders of addition may round to neighbours).
  host_->all_reduce(wide);
  const std::vector<BFloat16> sums = narrow.to_vector<BFloat16>();
  for (size_t i = 0; i < sums.size(); ++i) {
    const float sum = wide.data<float>()[i];
    const float scale = std::ldexp(1.0F, static_cast<int>(i % 40) - 20);
    ASSERT_NEAR(static_cast<float>(sums[i]), sum,
                std::abs(sum) * 0x1p-8F + scale * static_cast<float>(size_) * 0x1p-22F)
        << i;
  }
}

TEST_F(DeviceCommunicator, MovesHostTensorsToo) {
  const Tensor x = tensor_of<int64_t>(Stream(), {rank_});
  const Tensor in_flight = tensor_of<float>(stream_, whole_numbers(1000, 0));
  world_->all_reduce(in_flight);
  world_->all_reduce(x);
  EXPECT_EQ(values_of<int64_t>(x), std::vector<int>{size_ * (size_ - 1) / 2});
  EXPECT_EQ(world_->all_gather(std::to_string(rank_)).back(), std::to_string(size_ - 1));
  EXPECT_EQ(values_of<float>(in_flight)[1], 7 * size_);
}

TEST_F(DeviceCommunicator, ADeviceContinuesWhileItsHostIsBusy) {
  const Tensor x = tensor_of<float>(stream_, whole_numbers(5, 3));
  world_->all_reduce(x, ReduceOp::kMax);
  if (rank_ != 0) {
    EXPECT_EQ(values_of<float>(x), whole_numbers(5, 3));
  }
  world_->barrier();  // rank 0 has submitted no work to its device at this point
}

TEST_F(DeviceCommunicator, FollowsTheOrderOfTheComputeStream) {
  // Each call, and each copy between them, reads the results of the previous one without a wait of
  // the host.
  const Tensor x = tensor_of<float>(stream_, whole_numbers(513, rank_));
  const Tensor y = Tensor::empty(stream_, {513});
  for (int round = 0; round < 5; ++round) {
    world_->broadcast(x, round % size_);
    y.copy_from(x);
    x.fill_zero();
    world_->all_reduce(y, ReduceOp::kMax);
    x.copy_from(y);
  }
  EXPECT_EQ(values_of<float>(x), whole_numbers(513, 0));
}

TEST_F(DeviceCommunicator, ABroadcastDoesNotDisturbTheEarlierOne) {
  const Tensor x = Tensor::zeros(stream_, {40});
  const Tensor y = Tensor::zeros(stream_, {40});
  if (rank_ == 0) {
    x.copy_from(tensor_of<float>(stream_, whole_numbers(40, 1)));
    y.copy_from(tensor_of<float>(stream_, whole_numbers(40, 2)));
  }
  world_->broadcast(x, 0);
  world_->broadcast(y, 0);
  EXPECT_EQ(values_of<float>(x), whole_numbers(40, 1));
  EXPECT_EQ(values_of<float>(y), whole_numbers(40, 2));
}

TEST_F(DeviceCommunicator, FreedMemoryIsNotTakenFromACollective) {
  for (int round = 0; round < 20; ++round) {
    Tensor x = tensor_of<float>(stream_, whole_numbers(333, round));
    const Tensor kept = x;
    world_->all_reduce(x);
    x = {};
    tensor_of<float>(stream_, whole_numbers(333, round + 1)).fill_zero();
    EXPECT_EQ(values_of<float>(kept)[2], size_ * whole_numbers(333, round)[2]);
  }
}

TEST_F(DeviceCommunicator, AnAsynchronousReductionOverlapsWithTheStream) {
  const Tensor other = tensor_of<float>(stream_, whole_numbers(100, 1));
  std::vector<Pending> pending;
  std::vector<Tensor> sums;
  for (int i = 0; i < 4; ++i) {
    sums.push_back(tensor_of<float>(stream_, whole_numbers(2000, i)));
    pending.push_back(world_->all_reduce_async(sums.back()));
    other.copy_from(other.clone(stream_));
  }
  world_->all_reduce(other, ReduceOp::kMax);
  EXPECT_EQ(values_of<float>(other), whole_numbers(100, 1));
  for (size_t i = 0; i < sums.size(); ++i) {
    pending[i].wait(stream_);
    pending[i].wait(stream_);  // harmless
    std::vector<int> expected = whole_numbers(2000, static_cast<int>(i));
    for (int& value : expected) value *= size_;
    EXPECT_EQ(values_of<float>(sums[i]), expected) << i;
  }
}

TEST_F(DeviceCommunicator, APendingKeepsItsTensor) {
  for (int round = 0; round < 10; ++round) {
    // No other handle has the tensor and no caller waits: its memory is released after the
    // reduction.
    static_cast<void>(world_->all_reduce_async(tensor_of<float>(stream_, whole_numbers(999, 0))));
    EXPECT_EQ(values_of<float>(tensor_of<float>(stream_, whole_numbers(999, 1))),
              whole_numbers(999, 1));
  }
}

TEST_F(DeviceCommunicator, WorksInTheStreamItself) {
  DeviceOptions options;
  options.own_queue = false;
  const auto group = device_world(stream_, options);
  const Tensor x = tensor_of<float>(stream_, whole_numbers(77, 2));
  group->all_reduce(x);
  Pending pending = group->all_reduce_async(x, ReduceOp::kMax);
  pending.wait(stream_);
  EXPECT_EQ(values_of<float>(x)[3], size_ * whole_numbers(77, 2)[3]);
}

TEST_F(DeviceCommunicator, CountsBothKinds) {
  world_->reset_counts();
  world_->all_reduce(tensor_of<float>(stream_, whole_numbers(10, 0)));
  world_->all_reduce(tensor_of<float>(Stream(), whole_numbers(10, 0)));
  EXPECT_EQ(world_->counts().all_reduces, 2);
  EXPECT_EQ(world_->counts().bytes, 80);
}

TEST_F(DeviceCommunicator, SeveralGroupsAtOnce) {
  DeviceOptions options;
  options.transport = test_transport();
  const GridShape shape{2, size_ >= 8 ? 2 : 1, size_ >= 4 ? 2 : 1};
  if (shape.world() != size_) GTEST_SKIP() << "2, 4 or 8 ranks";
  const Grid grid = make_grid(shape, make_world(), stream_, options);
  const Tensor a = tensor_of<float>(stream_, whole_numbers(3001, grid.tensor->rank()));
  std::vector<Pending> pending;
  std::vector<Tensor> gradients;
  for (int layer = 0; layer < 6; ++layer) {
    const Tensor h = a.clone(stream_);
    grid.tensor->all_reduce(h);
    gradients.push_back(h);
    pending.push_back(grid.data->all_reduce_async(h));
    const Tensor whole = tensor_of<float>(stream_, {rank_});
    grid.world->all_reduce(whole);
    if (layer % 2 == 0) {
      EXPECT_EQ(values_of<float>(whole)[0], size_ * (size_ - 1) / 2);
    }
    // The next stage's, the previous stage's.
    const int stages = grid.pipeline->size();
    const Tensor from_below = Tensor::zeros(stream_, {1});
    const Transfer up[] = {{(grid.stage() + 1) % stages, whole}};
    const Transfer down[] = {{(grid.stage() + stages - 1) % stages, from_below}};
    grid.pipeline->exchange(up, down);
    EXPECT_EQ(grid.replica->all_reduce(int64_t{1}), shape.tensor * shape.pipeline);
  }
  const std::vector<int> first = whole_numbers(3001, 0), second = whole_numbers(3001, 1);
  for (size_t i = 0; i < gradients.size(); ++i) {
    pending[i].wait(stream_);
    const std::vector<int> found = values_of<float>(gradients[i]);
    for (size_t k = 0; k < found.size(); ++k)
      ASSERT_EQ(found[k], shape.data * (first[k] + second[k])) << k;
  }
}

TEST_F(DeviceCommunicator, ChoosesATransport) {
  const bool shared = test_transport() == Transport::kStaged;
  EXPECT_EQ(choose_transport(*host_, stream_.device(), Transport::kAuto),
            shared || !nccl_is_built() ? Transport::kStaged : Transport::kNccl);
  EXPECT_EQ(choose_transport(*host_, stream_.device(), Transport::kStaged), Transport::kStaged);
  if (!shared) return;
  EXPECT_THAT([&] { choose_transport(*host_, stream_.device(), Transport::kNccl); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr(
                  nccl_is_built() ? "ranks 0 and 1 share a device" : "built without NCCL")));
}

}  // namespace
}  // namespace lynceus::parallel
