// What a cell of two bytes remembers of its accesses, and where the cells of an address are.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "order.h"

namespace lynceus::simt::race {

constexpr uintptr_t kCellBytes = 2;

/// Of the reads only as many are kept as can tell that a write is not ordered behind all of them.
struct Cell {
  Moment write;
  Moment read;  ///< the last, of the lanes `read_lanes` of its warp at its clock
  uint32_t read_lanes = 0;
  Moment other_read;        ///< not ordered before `read`
  Moment other_block_read;  ///< the last of an earlier block
};

/// The two accesses of a race.
struct Race {
  Moment before;
  bool before_writes = false;
  bool found = false;
};

/// Records the access and says what it races with. With `own_block` accesses of other blocks are
/// of no concern: the memory was another then.
Race record_read(Cell* cell, const Moment& now, const Order& order, bool own_block);
Race record_write(Cell* cell, const Moment& now, const Order& order, bool own_block);

/// Cells of all memory by pages, made when first touched.
class Shadow {
 public:
  Cell* cell(uintptr_t address) {
    const uintptr_t page = address / kPageBytes;
    Found& found = found_[page % found_.size()];
    if (found.page != page) found = {page, find(page)};
    return found.cells + address % kPageBytes / kCellBytes;
  }
  /// Between launches nothing need be remembered.
  void shrink();

 private:
  static constexpr uintptr_t kPageBytes = 4096;
  Cell* find(uintptr_t page);

  std::unordered_map<uintptr_t, std::unique_ptr<Cell[]>> pages_;
  struct Found {
    uintptr_t page = 0;
    Cell* cells = nullptr;
  };
  std::array<Found, 256> found_{};  // lately
};

}  // namespace lynceus::simt::race
