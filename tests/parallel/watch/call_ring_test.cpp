// The ring of recent calls: numbers, what is open, calls of a device that end later, more calls
// than places, a reader on another thread.
#include "parallel/watch/call_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace lynceus::parallel {
namespace {

TEST(CallRing, NumbersCollectivesAndExchangesOnTheirOwn) {
  CallRing ring;
  ring.begin(Operation::kAllReduce, 8);
  ring.end();
  ring.begin(Operation::kExchange, 100);
  ring.end();
  ring.begin(Operation::kBroadcast, 16);
  const auto calls = ring.recent(8, 8);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].number, 1);
  EXPECT_EQ(calls[1].number, 1);
  EXPECT_FALSE(calls[1].is_collective());
  EXPECT_EQ(calls[2].number, 2);
  EXPECT_EQ(calls[2].operation, Operation::kBroadcast);
  EXPECT_EQ(calls[2].bytes, 16);
  EXPECT_TRUE(calls[1].done());
  EXPECT_FALSE(calls[2].done());
  EXPECT_EQ(ring.collectives(), 2);
}

TEST(CallRing, KeepsTheOldestOpenCallsOfADevice) {
  CallRing ring;
  for (int i = 0; i < 3; ++i) {
    ring.begin(Operation::kAllReduce, i);
    ring.submitted();
  }
  const int64_t device = ring.last();
  ring.begin(Operation::kBroadcast, 3);  // of the host, which waits for it
  ring.end();
  auto calls = ring.recent(8, 8);
  ASSERT_EQ(calls.size(), 4u);
  EXPECT_EQ(calls[0].state, CallState::kSubmitted);
  EXPECT_TRUE(calls[3].done());
  ring.end_through(device - 1);
  calls = ring.recent(1, 1);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].bytes, 1);
  EXPECT_EQ(calls[1].bytes, 2);
  EXPECT_FALSE(calls[1].done());
  ring.end_through(device);
  for (const RecordedCall& call : ring.recent(8, 8)) EXPECT_TRUE(call.done()) << call.number;
}

TEST(CallRing, ForgetsTheOldestOfMoreCallsThanPlaces) {
  CallRing ring;
  const int64_t many = 3 * CallRing::kPlaces;
  for (int64_t i = 0; i < many; ++i) ring.begin(Operation::kAllReduce, i);
  auto calls = ring.recent(4, 4);
  ASSERT_FALSE(calls.empty());
  EXPECT_GE(calls.front().number, many - CallRing::kPlaces);
  EXPECT_FALSE(calls.front().done());
  ring.end_through(ring.last());
  calls = ring.recent(4, 4);
  ASSERT_EQ(calls.size(), 4u);
  EXPECT_EQ(calls.back().number, many);
  EXPECT_TRUE(calls.back().done());
}

TEST(CallRing, CountsTheWaitOfTheHost) {
  CallRing ring;
  ring.begin(Operation::kBarrier, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ring.end();
  EXPECT_GE(ring.seconds_waited(), 0.02);
  EXPECT_GE(ring.last_change() * 1e-9, 0.02);
}

TEST(CallRing, IsReadWhileItIsWritten) {
  CallRing ring;
  std::atomic<bool> ends = false;
  std::thread writer([&] {
    while (!ends) {
      ring.begin(Operation::kAllReduce, 2 * (ring.collectives() + 1));
      ring.end();
    }
  });
  for (int round = 0; round < 20000; ++round)
    for (const RecordedCall& call : ring.recent(8, 8)) ASSERT_EQ(call.bytes, 2 * call.number);
  ends = true;
  writer.join();
}

}  // namespace
}  // namespace lynceus::parallel
