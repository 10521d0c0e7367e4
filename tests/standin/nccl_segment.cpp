// Opens and removes the shared memory, and detects ranks whose process ended.
#include "tests/standin/nccl_segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/standin/queue.h"

namespace lynceus::standin {

std::string describe(const Piece& piece) {
  constexpr const char* kNames[] = {"all_reduce", "all_gather", "reduce_scatter", "broadcast"};
  return fmt::format("{} (call {}, {} elements of type {}, operation {}, root {})",
                     kNames[static_cast<int>(piece.kind)], piece.number, piece.count, piece.dtype,
                     piece.op, piece.root);
}

Segment::Segment(const std::string& name, int rank, int size)
    : name_(name), rank_(rank), size_(size) {
  if (size > kMaxRanks || rank < 0 || rank >= size)
    fail(fmt::format("NCCL: rank {} of {}; at most {} ranks", rank, size, kMaxRanks));
  const auto n = static_cast<size_t>(size);
  constexpr size_t kPage = 4096;
  const size_t head = (sizeof(Header) + kPage - 1) / kPage * kPage;
  bytes_ = head + n * kSlotBytes + n * n * kChannelBytes;
  const int file = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes_)) != 0)
    fail(fmt::format("NCCL: shared memory {}: error {}", name, errno));
  void* const data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (data == MAP_FAILED) fail(fmt::format("NCCL: shared memory {}: error {}", name, errno));
  header_ = static_cast<Header*>(data);  // a new file has zeros, the initial value of every member
  slots_ = static_cast<char*>(data) + head;
  channels_ = slots_ + n * kSlotBytes;
  if (const int others = header_->size.exchange(size); others != 0 && others != size)
    fail(fmt::format("NCCL: rank {} says {} ranks, another one {}", rank, size, others));
  if (state(rank).process.exchange(getpid()) != 0)
    fail(fmt::format("NCCL: two processes are rank {}", rank));
  if (++header_->joined == size) shm_unlink(name.c_str());
}

Segment::~Segment() { munmap(header_, bytes_); }

int Segment::lost_rank() const {
  if (header_->gave_up != 0) return header_->gave_up - 1;
  for (int other = 0; other < size_; ++other) {
    const pid_t process = state(other).process;
    if (process == 0 || state(other).left) continue;
    if (kill(process, 0) != 0 && errno == ESRCH) return other;
  }
  return -1;
}

bool Segment::wait_for(int64_t count, std::atomic<int64_t> RankState::*counter) const {
  for (int other = 0; other < size_; ++other)
    while (state(other).*counter < count) {
      if (lost_rank() >= 0) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  return true;
}

Segment::Part Segment::split(int color, int key) {
  RankState& mine = state(rank_);
  mine.color = color;
  mine.key = key;
  const int64_t number = ++mine.splits;
  if (!wait_for(number, &RankState::splits)) return {};
  Part part;
  for (int other = 0; other < size_; ++other) {
    if (color < 0 || state(other).color != color) continue;
    ++part.size;
    const int their_key = state(other).key;
    if (their_key < key || (their_key == key && other < rank_)) ++part.rank;
  }
  part.name = fmt::format("{}-{}-{}", name_, number, color);
  mine.splits_seen = number;
  if (!wait_for(number, &RankState::splits_seen)) return {};
  return part;
}

bool Segment::others_wait() const {
  for (int other = 0; other < size_; ++other)
    if (other != rank_ && state(other).waits) return true;
  return false;
}

}  // namespace lynceus::standin
