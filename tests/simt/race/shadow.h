// The accesses that a cell of two bytes stores, and the table of cells.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "order.h"

namespace lynceus::simt::race {

constexpr uintptr_t kCellBytes = 2;

/// Keeps as many reads as are needed to detect a write that is not ordered after all of them.
struct Cell {
  Moment write;
  Moment read;  ///< the latest, by the lanes `read_lanes` of its warp at its clock
  uint32_t read_lanes = 0;
  Moment other_read;        ///< not ordered before `read`
  Moment other_block_read;  ///< the latest of an earlier block
};

/// The two accesses of a race.
struct Race {
  Moment before;
  bool before_writes = false;
  bool found = false;
};

/// Records the access and returns what it races with. With `own_block` accesses of other blocks are
/// ignored, because each block has its own memory there.
Race record_read(Cell* cell, const Moment& now, const Order& order, bool own_block);
Race record_write(Cell* cell, const Moment& now, const Order& order, bool own_block);

/// The cells of all memory, in pages that are allocated at the first access.
class Shadow {
 public:
  Cell* cell(uintptr_t address) {
    const uintptr_t page = address / kPageBytes;
    Found& found = found_[page % found_.size()];
    if (found.page != page) found = {page, find(page)};
    return found.cells + address % kPageBytes / kCellBytes;
  }
  /// Called between launches, which are ordered.
  void shrink();

 private:
  static constexpr uintptr_t kPageBytes = 4096;
  Cell* find(uintptr_t page);

  std::unordered_map<uintptr_t, std::unique_ptr<Cell[]>> pages_;
  struct Found {
    uintptr_t page = 0;
    Cell* cells = nullptr;
  };
  std::array<Found, 256> found_{};  // recently used
};

}  // namespace lynceus::simt::race
