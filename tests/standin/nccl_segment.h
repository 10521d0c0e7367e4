// The memory that the ranks of one stand-in NCCL communicator share: the state of each rank, a slot
// per rank for its part of a collective, and a channel per pair of ranks for messages. It is a
// POSIX shared memory segment, named by the unique id. The name is removed as soon as all ranks
// have opened it, so that nothing is left over when a rank dies.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lynceus::standin {

constexpr int kMaxRanks = 16;
constexpr size_t kSlotBytes = size_t{1} << 20;
constexpr size_t kChannelBytes = size_t{1} << 16;

enum class Kind : int32_t { kAllReduce, kAllGather, kReduceScatter, kBroadcast };

/// One piece of a collective as this rank called it; the ranks must agree.
struct Piece {
  Kind kind;
  int32_t dtype;
  int32_t op;
  int32_t root;
  int64_t number;  // counts the collectives of this communicator
  int64_t count;   // elements of the whole call
  int64_t begin;   // first element of this piece
  bool operator==(const Piece&) const = default;
};
std::string describe(const Piece& piece);

/// One piece of a message.
struct Packet {
  int32_t dtype;
  int64_t count;
  int64_t begin;
  int64_t bytes;
};

struct RankState {
  std::atomic<pid_t> process;
  std::atomic<int64_t> posted;    // pieces written to the slot
  std::atomic<int64_t> consumed;  // pieces read from all slots
  std::atomic<bool> waits;        // waits for other ranks now
  std::atomic<bool> left;         // needs no other rank any more
  Piece piece;
  std::atomic<int64_t> splits;       // groups that this rank has asked for
  std::atomic<int64_t> splits_seen;  // and whose members it knows
  std::atomic<int> color, key;       // of the last
};

struct Channel {
  std::atomic<int64_t> posted;
  std::atomic<int64_t> consumed;
  Packet packet;
};

class Segment {
 public:
  Segment(const std::string& name, int rank, int size);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  bool complete() const { return header_->joined == size_; }
  /// A rank that gave up or whose process ended; -1: none.
  int lost_rank() const;
  void give_up() { header_->gave_up = rank_ + 1; }
  void leave() { state(rank_).left = true; }
  bool others_wait() const;

  /// The place of this rank in the group of its color; the color -1 has none. Waits for all ranks.
  struct Part {
    std::string name;
    int rank = 0;
    int size = 0;  // 0: none, or a rank is lost
  };
  Part split(int color, int key);

  int rank() const { return rank_; }
  int size() const { return size_; }
  RankState& state(int rank) const { return header_->ranks[rank]; }
  char* slot(int rank) const { return slots_ + static_cast<size_t>(rank) * kSlotBytes; }
  Channel& channel(int from, int to) const { return header_->channels[from][to]; }
  char* channel_data(int from, int to) const {
    return channels_ + static_cast<size_t>(from * size_ + to) * kChannelBytes;
  }

 private:
  struct Header {
    std::atomic<int> size;
    std::atomic<int> joined;
    std::atomic<int> gave_up;  // rank + 1
    RankState ranks[kMaxRanks];
    Channel channels[kMaxRanks][kMaxRanks];
  };

  /// Returns whether all ranks came to `count`, false if one is lost.
  bool wait_for(int64_t count, std::atomic<int64_t> RankState::*counter) const;

  std::string name_;
  int rank_;
  int size_;
  size_t bytes_ = 0;
  Header* header_ = nullptr;
  char* slots_ = nullptr;
  char* channels_ = nullptr;
};

}  // namespace lynceus::standin
