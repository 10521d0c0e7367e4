// A group of one: every operation is the identity, counted, and needs no MPI.
#include <gmock/gmock.h>

#include "core/error.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"
#include "parallel/mpi_session.h"

namespace lynceus::parallel {
namespace {

TEST(SelfCommunicator, EveryOperationIsTheIdentity) {
  const Stream stream;
  const auto self = make_self_communicator();
  const Tensor x = Tensor::from(stream, {3}, std::vector<float>{1, 2, 3});
  const Tensor y = Tensor::zeros(stream, {3});
  self->all_reduce(x);
  self->all_gather(x, y);
  EXPECT_THAT(y.to_vector<float>(), testing::ElementsAre(1, 2, 3));
  y.fill_zero();
  self->reduce_scatter(x, y);
  EXPECT_THAT(y.to_vector<float>(), testing::ElementsAre(1, 2, 3));
  self->broadcast(y, 0);
  self->barrier();
  EXPECT_EQ(self->all_reduce(int64_t{7}, ReduceOp::kMax), 7);
  EXPECT_THAT(self->all_gather("text"), testing::ElementsAre("text"));
  EXPECT_EQ(self->counts().all_reduces, 2);
  EXPECT_EQ(self->counts().barriers, 1);
  EXPECT_EQ(self->counts().bytes, 0);
  self->reset_counts();
  EXPECT_EQ(self->counts().collectives(), 0);
  EXPECT_EQ(split(*self, 3, 0)->size(), 1);
}

TEST(SelfCommunicator, ExchangesWithItself) {
  const Stream stream;
  const auto self = make_self_communicator();
  const Tensor x = Tensor::from(stream, {2}, std::vector<int32_t>{4, 5});
  const Tensor y = Tensor::zeros(stream, {2}, DType::kI32);
  const Transfer sends[] = {{0, Tensor::zeros(stream, {0})}, {0, x}};
  const Transfer receives[] = {{0, y}};
  self->exchange(sends, receives);
  EXPECT_THAT(y.to_vector<int32_t>(), testing::ElementsAre(4, 5));
  EXPECT_THROW(self->exchange({}, receives), InternalError);
}

TEST(MpiSession, IsStartedOnce) {
  // The main() of the tests has started MPI.
  EXPECT_THROW(MpiSession(nullptr, nullptr), InternalError);
}

TEST(Agree, PassesErrorsThroughInAGroupOfOne) {
  const auto self = make_self_communicator();
  EXPECT_NO_THROW(agree(*self, [] {}));
  EXPECT_THAT([&] { agree(*self, [] { throw InputError("no such file"); }); },
              testing::ThrowsMessage<Error>("no such file"));
  EXPECT_THAT([&] { agree(*self, [] { throw std::runtime_error("broken"); }); },
              testing::ThrowsMessage<Error>("broken"));
}

}  // namespace
}  // namespace lynceus::parallel
