// The MPI transport over groups of 2 to 8 ranks: values, bit-equality of all-reduce, exchanges that
// would deadlock in a blocking order, large tensors in several calls, agreement on errors,
// counting.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "core/error.h"
#include "parallel/agreement.h"
#include "parallel/mpi_call.h"
#include "parallel/mpi_communicator.h"
#include "parallel/mpi_session.h"

namespace lynceus::parallel {
namespace {

/// The first `size` ranks of the world; null on the others.
std::unique_ptr<Communicator> first_ranks(int size) {
  const auto world = make_world();
  auto group = split(*world, world->rank() < size ? 0 : 1, world->rank());
  return world->rank() < size ? std::move(group) : nullptr;
}

/// A group over all ranks that cuts tensors into pieces of `max_elements`.
std::unique_ptr<Communicator> cutting_world(int64_t max_elements) {
  MPI_Comm handle = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &handle);
  return make_mpi_communicator(handle, max_elements);
}

/// Values of very different magnitude and both signs, subnormals and signed zeros: their sum
/// depends on the order of additions.
Tensor nasty(const Stream& stream, int64_t count, int rank) {
  std::mt19937 random(static_cast<unsigned>(977 * rank + count));
  std::uniform_real_distribution<float> mantissa(-1, 1);
  std::uniform_int_distribution<int> exponent(-140, 30);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = std::ldexp(mantissa(random), exponent(random) / 3);
  for (size_t i = 0; i < values.size(); i += 5) values[i] = 1e30F * (rank % 2 == 0 ? 1 : -1);
  for (size_t i = 3; i < values.size(); i += 7) values[i] = rank % 3 == 0 ? -0.0F : 0.0F;
  for (size_t i = 4; i < values.size(); i += 11)
    values[i] = static_cast<float>(rank + 1) * 1e-41F * (i % 2 == 0 ? 1 : -1);
  return Tensor::from(stream, {count}, values);
}

TEST(Communicator, AllReduceIsBitEqualOnAllRanksAndEveryTime) {
  const Stream stream;
  for (int size = 2; size <= 8; ++size) {
    const auto group = first_ranks(size);
    if (group == nullptr) continue;
    for (const int64_t count : {1, 17, 255, 1023, 4099, 20011, 300007}) {
      const Tensor sum = nasty(stream, count, group->rank());
      const Tensor again = sum.clone(stream);
      group->all_reduce(sum);
      group->all_reduce(again);
      EXPECT_EQ(std::memcmp(sum.raw(), again.raw(), sum.bytes()), 0) << "not repeatable";
      const Tensor reference = sum.clone(stream);
      group->broadcast(reference, 0);
      const int64_t equal = std::memcmp(sum.raw(), reference.raw(), sum.bytes()) == 0 ? 1 : 0;
      EXPECT_EQ(group->all_reduce(equal, ReduceOp::kMin), 1) << size << " ranks, " << count;
      if (count > 10000) continue;
      std::vector<double> exact(static_cast<size_t>(count));
      for (int rank = 0; rank < size; ++rank) {
        const auto values = nasty(stream, count, rank).to_vector<float>();
        for (size_t i = 0; i < exact.size(); ++i) exact[i] += double{values[i]};
      }
      double worst = 0;  // against the largest addend, which bounds the rounding
      for (size_t i = 0; i < exact.size(); ++i)
        worst = std::max(
            worst, std::abs(double{sum.data<float>()[i]} - exact[i]) / (i % 5 == 0 ? 1e30 : 1e4));
      EXPECT_LT(worst, 1e-5) << size << " ranks, " << count;
    }
  }
}

TEST(Communicator, ReducesEveryNumberType) {
  const Stream stream;
  const auto world = make_world();
  const int rank = world->rank();
  const Tensor f64 = Tensor::from(stream, {2}, std::vector<double>{0.5 * rank, 1});
  world->all_reduce(f64);
  EXPECT_THAT(f64.to_vector<double>(), testing::ElementsAre(14.0, 8.0));
  const Tensor i32 = Tensor::from(stream, {1}, std::vector<int32_t>{-rank});
  world->all_reduce(i32, ReduceOp::kMin);
  EXPECT_EQ(i32.data<int32_t>()[0], -7);
  const Tensor u8 =
      Tensor::from(stream, {1}, std::vector<uint8_t>{static_cast<uint8_t>(rank + 200)});
  world->all_reduce(u8, ReduceOp::kMax);
  EXPECT_EQ(u8.data<uint8_t>()[0], 207);
  EXPECT_EQ(world->all_reduce(int64_t{1} << 40), int64_t{1} << 43);
  EXPECT_EQ(world->all_reduce(double(rank), ReduceOp::kMax), 7.0);
  EXPECT_THROW(world->all_reduce(Tensor::zeros(stream, {1}, DType::kF16)), InternalError);
}

/// all_gather, reduce_scatter, broadcast and all_reduce of `n` elements a rank, exactly.
void expect_collectives(Communicator& group, int64_t n) {
  const Stream stream;
  const int64_t size = group.size();
  const int64_t rank = group.rank();
  SCOPED_TRACE(fmt::format("{} elements, {} ranks", n, size));
  std::vector<int64_t> mine(static_cast<size_t>(n));
  std::iota(mine.begin(), mine.end(), 1000 * rank);
  const Tensor x = Tensor::from(stream, {n}, mine);
  const Tensor y = Tensor::zeros(stream, {size * n}, DType::kI64);
  group.all_gather(x, y);
  for (int64_t i = 0; i < size * n; ++i)
    ASSERT_EQ(y.data<int64_t>()[i], 1000 * (i / n) + i % n) << i;

  const Tensor in_place = Tensor::zeros(stream, {size * n}, DType::kI64);
  in_place.slice(rank * n, n).copy_from(x);
  group.all_gather(in_place.slice(rank * n, n), in_place);
  EXPECT_EQ(in_place.to_vector<int64_t>(), y.to_vector<int64_t>());

  for (int64_t i = 0; i < size * n; ++i) y.data<int64_t>()[i] = i + rank;
  const Tensor part = Tensor::zeros(stream, {n}, DType::kI64);
  group.reduce_scatter(y, part);
  for (int64_t i = 0; i < n; ++i)
    ASSERT_EQ(part.data<int64_t>()[i], size * (rank * n + i) + size * (size - 1) / 2) << i;

  group.broadcast(x, static_cast<int>(size) - 1);
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(x.data<int64_t>()[i], 1000 * (size - 1) + i);
  group.all_reduce(x);
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(x.data<int64_t>()[i], size * (1000 * (size - 1) + i));
}

TEST(Communicator, CollectivesGiveTheRightValues) {
  for (int size = 2; size <= 8; ++size) {
    const auto group = first_ranks(size);
    if (group == nullptr) continue;
    for (const int64_t n : {0, 1, 5, 1000}) expect_collectives(*group, n);
  }
}

TEST(Communicator, AddsBf16InF32AndRoundsOnce) {
  const Stream stream;
  const auto world = make_world();
  // 256 + 7 · 0.5: in bf16, whose neighbours are 2 apart here, no half would ever count.
  const float part = world->rank() == 0 ? 256 : 0.5F;
  const Tensor x = Tensor::from(stream, {8}, std::vector<BFloat16>(8, BFloat16(part)));
  const Tensor y = Tensor::empty(stream, {1}, DType::kBf16);
  world->reduce_scatter(x, y);
  world->all_reduce(x);
  EXPECT_EQ(static_cast<float>(y.data<BFloat16>()[0]), 260);
  EXPECT_EQ(static_cast<float>(x.data<BFloat16>()[7]), 260);
}

TEST(Communicator, LargeTensorsAreCutIntoSeveralCalls) {
  for (const int64_t max_elements : {1, 3, 8, 24, 1000}) {
    const auto group = cutting_world(max_elements);
    for (const int64_t n : {1, 7, 24, 25, 100}) expect_collectives(*group, n);
  }
}

/// Every rank sends to every rank two tensors of its own length and, between them, an empty one.
void expect_exchange(Communicator& group, int64_t n) {
  const Stream stream;
  const int size = group.size();
  const int rank = group.rank();
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (int step = 0; step < size; ++step) {
    // The orders of the two sides differ on purpose.
    const int to = (rank + step) % size;
    const int from = (rank + 3 * step) % size;
    for (int index = 0; index < 2; ++index) {
      sends.push_back({to, Tensor::from(stream, {n + index, 2},
                                        std::vector<int32_t>(static_cast<size_t>(2 * (n + index)),
                                                             100 * rank + 10 * to + index))});
      sends.push_back({to, Tensor::zeros(stream, {0, 2})});
    }
    // 3 · step meets every rank only where 3 does not divide the size.
    const int source = size % 3 == 0 ? (rank + size - step) % size : from;
    for (int index = 0; index < 2; ++index)
      receives.push_back({source, Tensor::zeros(stream, {n + index, 2}, DType::kI32)});
  }
  group.exchange(sends, receives);
  for (size_t i = 0; i < receives.size(); ++i) {
    const int32_t expected =
        static_cast<int32_t>(100 * receives[i].peer + 10 * rank + static_cast<int>(i % 2));
    for (const int32_t value : receives[i].tensor.span<int32_t>()) ASSERT_EQ(value, expected);
  }
}

TEST(Communicator, ExchangeNeedsNoOrderAndNoBuffer) {
  for (int size = 2; size <= 8; ++size) {
    const auto group = first_ranks(size);
    if (group == nullptr) continue;
    for (const int64_t n : {0, 1, 100, 20000}) expect_exchange(*group, n);
  }
  for (const int64_t max_elements : {1, 7}) expect_exchange(*cutting_world(max_elements), 40);
}

TEST(Communicator, ExchangeMovesHalfPrecision) {
  const Stream stream;
  const auto world = make_world();
  const Tensor x = Tensor::zeros(stream, {5}, DType::kBf16);
  std::memset(x.raw(), world->rank() + 1, x.bytes());
  const Tensor y = Tensor::zeros(stream, {5}, DType::kBf16);
  const Transfer sends[] = {{(world->rank() + 1) % 8, x}};
  const Transfer receives[] = {{(world->rank() + 7) % 8, y}};
  world->exchange(sends, receives);
  EXPECT_EQ(static_cast<const uint8_t*>(y.raw())[9], (world->rank() + 7) % 8 + 1);
}

TEST(Communicator, ATransferOfAnotherLengthIsAnError) {
  const Stream stream;
  for (const int64_t sent : {3, 5}) {  // shorter and longer than what is expected
    const auto world = make_world();
    const Transfer sends[] = {{(world->rank() + 1) % 8, Tensor::zeros(stream, {sent})}};
    const Transfer receives[] = {{(world->rank() + 7) % 8, Tensor::zeros(stream, {4})}};
    EXPECT_THAT([&] { world->exchange(sends, receives); },
                testing::ThrowsMessage<InternalError>(testing::HasSubstr(fmt::format(
                    "receive from rank {} of the group, 4 elements: {}", (world->rank() + 7) % 8,
                    sent == 3 ? "found 3" : "MPI_ERR_TRUNCATE"))));
    world->barrier();
  }
}

TEST(Communicator, AFailedCallNamesItselfRankAndPlace) {
  const auto world = make_world();
  const int code = MPI_Send(nullptr, 1, MPI_INT, 99, 0, mpi_handle(*world));
  EXPECT_THAT(
      [&] { check_mpi(code, "MPI_Send(...)", "file.cpp", 12); },
      testing::ThrowsMessage<InternalError>(testing::AllOf(
          testing::HasSubstr("MPI_Send(...) failed on rank " + std::to_string(world->rank())),
          testing::HasSubstr("MPI_ERR_RANK"), testing::HasSubstr("(file.cpp:12)"))));
}

TEST(Communicator, StringsTravel) {
  const auto world = make_world();
  const std::string mine(static_cast<size_t>(3 * world->rank()),
                         static_cast<char>('a' + world->rank()));
  const auto all = world->all_gather(mine);
  ASSERT_EQ(all.size(), 8U);
  EXPECT_EQ(all[0], "");
  EXPECT_EQ(all[2], "cccccc");
  EXPECT_EQ(all[7].size(), 21U);
  EXPECT_EQ(world->broadcast(mine, 1), "bbb");
  EXPECT_EQ(world->broadcast(mine, 0), "");
  EXPECT_THAT(world->all_gather(std::string()), testing::Each(""));
}

TEST(Communicator, SplitOrdersByKey) {
  const auto world = make_world();
  const auto half = split(*world, world->rank() % 2, -world->rank());
  EXPECT_EQ(half->size(), 4);
  EXPECT_EQ(half->rank(), 3 - world->rank() / 2);
  EXPECT_EQ(half->all_reduce(int64_t{1}), 4);
  const auto alone = split(*world, world->rank(), 0);
  EXPECT_EQ(alone->size(), 1);
  EXPECT_EQ(mpi_handle(*alone), MPI_COMM_SELF);
}

TEST(Communicator, ASplitHasItsOwnMessages) {
  const Stream stream;
  const auto world = make_world();
  const auto other = split(*world, 0, world->rank());
  const int rank = world->rank();
  MPI_Request requests[2];
  int first = 10 + rank, second = 20 + rank, from_other = 0, from_world = 0;
  MPI_Isend(&first, 1, MPI_INT, (rank + 1) % 8, 0, mpi_handle(*world), &requests[0]);
  MPI_Isend(&second, 1, MPI_INT, (rank + 1) % 8, 0, mpi_handle(*other), &requests[1]);
  const int peer = (rank + 7) % 8;
  MPI_Recv(&from_other, 1, MPI_INT, peer, 0, mpi_handle(*other), MPI_STATUS_IGNORE);
  MPI_Recv(&from_world, 1, MPI_INT, peer, 0, mpi_handle(*world), MPI_STATUS_IGNORE);
  MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  EXPECT_EQ(from_other, 20 + peer);
  EXPECT_EQ(from_world, 10 + peer);
}

TEST(Agree, AllRanksThrowTheFirstFailingRanksError) {
  const auto world = make_world();
  EXPECT_NO_THROW(agree(*world, [] {}));
  try {
    agree(*world, [&] {
      if (world->rank() == 3) throw InputError("rank three's file");
      if (world->rank() == 5) throw UsageError("rank five's key");
    });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rank three's file");
    EXPECT_EQ(error.code(), ExitCode::kInput);
  }
  EXPECT_EQ(world->all_reduce(int64_t{1}), 8);  // the ranks are still synchronized
}

TEST(Communicator, CountsItsCalls) {
  const Stream stream;
  const auto world = make_world();
  const Tensor x = Tensor::zeros(stream, {10});
  const Tensor y = Tensor::zeros(stream, {80});
  world->all_reduce(x);
  world->all_gather(x, y);
  world->reduce_scatter(y, x);
  world->broadcast(x, 0);
  const Transfer sends[] = {{world->rank(), x}};
  const Transfer receives[] = {{world->rank(), y.slice(0, 10)}};
  world->exchange(sends, receives);
  world->barrier();
  const CommunicationCounts& counts = world->counts();
  EXPECT_EQ(counts.all_reduces, 1);
  EXPECT_EQ(counts.collectives(), 4);
  EXPECT_EQ(counts.exchanges, 1);
  EXPECT_EQ(counts.barriers, 1);
  EXPECT_EQ(counts.bytes, 4 * (10 + 10 + 80 + 10 + 10));
}

}  // namespace
}  // namespace lynceus::parallel
