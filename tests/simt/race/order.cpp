// Vector clocks of the lanes of each warp. Every barrier of the block resets them.
#include "order.h"

#include <algorithm>

namespace lynceus::simt::race {

void Order::next_era() {
  ++era_;
  for (size_t warp = 0; warp < moved_.size(); ++warp) {
    if (!moved_[warp] && era_ > 1) continue;
    moved_[warp] = false;
    for (size_t lane = 0; lane < kWarp; ++lane) {
      Clocks& mine = known_[warp * kWarp + lane];
      mine.fill(0);
      mine[lane] = 1;
    }
  }
}

void Order::begin_launch() { block_eras_.clear(); }

void Order::begin_block() {
  next_era();
  block_eras_.push_back(era_);
}

void Order::pass_barrier() { next_era(); }

void Order::sync_lanes(int first_thread, unsigned mask) {
  Clocks* const warp = &known_[static_cast<size_t>(first_thread)];
  moved_[static_cast<size_t>(first_thread / kWarp)] = true;
  Clocks all{};
  for (size_t lane = 0; lane < kWarp; ++lane)
    if ((mask >> lane & 1u) != 0)
      for (size_t i = 0; i < kWarp; ++i) all[i] = std::max(all[i], warp[lane][i]);
  for (size_t lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1u) == 0) continue;
    warp[lane] = all;
    ++warp[lane][lane];
  }
}

int Order::block_of(const Moment& moment) const {
  const auto after = std::upper_bound(block_eras_.begin(), block_eras_.end(), moment.era);
  return static_cast<int>(after - block_eras_.begin()) - 1;
}

}  // namespace lynceus::simt::race
