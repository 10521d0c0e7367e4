// Decides which access of a launch happens before which. An era is the time of one block between
// two of its barriers; eras are numbered over all launches. Within an era only sync_warp calls
// order the lanes of a warp (vector clocks). Different warps, and for global memory different
// blocks of the launch, are unordered, whatever order the shim ran them in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lynceus::simt::race {

constexpr int kWarp = 32;

/// An access of one thread, as a memory cell stores it.
struct Moment {
  uint32_t era = 0;    ///< 0: none
  uint32_t clock = 0;  ///< of the lane
  uint32_t place = 0;  ///< code address, relative to the program's start
  uint16_t thread = 0;
  uint8_t bytes = 0;  ///< the bytes of the cell, one bit each
  bool atomic = false;
};

class Order {
 public:
  void begin_launch();
  void begin_block();
  void pass_barrier();
  void sync_lanes(int first_thread, unsigned mask);

  uint32_t era() const { return era_; }
  uint32_t clock(int thread) const { return known(thread)[thread % kWarp]; }
  /// Whether the access was made in this launch; `own_block`: in this block.
  bool current(const Moment& moment, bool own_block) const {
    return moment.era >= (own_block ? first_of_block() : first_of_launch());
  }
  bool of_other_block(const Moment& moment) const { return moment.era < first_of_block(); }
  /// The number of the block within the launch.
  int block_of(const Moment& moment) const;

  /// Whether the access happens before the running thread of the block.
  bool before(const Moment& moment, int thread) const {
    if (moment.era < first_of_launch()) return true;
    if (moment.era < first_of_block()) return false;
    if (moment.era < era_ || moment.thread == thread) return true;
    if (moment.thread / kWarp != thread / kWarp) return false;
    return known(thread)[moment.thread % kWarp] >= moment.clock;
  }

 private:
  using Clocks = std::array<uint32_t, kWarp>;

  const Clocks& known(int thread) const { return known_[static_cast<size_t>(thread)]; }
  uint32_t first_of_launch() const { return block_eras_.front(); }
  uint32_t first_of_block() const { return block_eras_.back(); }
  void next_era();

  uint32_t era_ = 0;
  std::vector<uint32_t> block_eras_{0};     // the first era of each block of the launch
  std::array<Clocks, 1024> known_{};        // thread -> the clock of each lane that it has seen
  std::array<bool, 1024 / kWarp> moved_{};  // warps whose clocks advanced in this era
};

}  // namespace lynceus::simt::race
