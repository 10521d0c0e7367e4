// The rules for races, and for accesses that need not be stored any longer.
#include "shadow.h"

namespace lynceus::simt::race {
namespace {

bool overlap(const Moment& a, const Moment& b) { return (a.bytes & b.bytes) != 0; }

bool races(const Moment& before, const Moment& now, const Order& order, bool own_block) {
  if (before.era == 0 || !overlap(before, now) || (before.atomic && now.atomic)) return false;
  return order.current(before, own_block) && !order.before(before, now.thread);
}

bool same_warp(const Moment& a, const Moment& b) { return a.thread / kWarp == b.thread / kWarp; }

/// The latest read that does not happen before the writer; any of several lanes.
Race racing_read(const Cell& cell, const Moment& now, const Order& order, bool own_block) {
  Moment read = cell.read;
  if (read.era == order.era() && same_warp(read, now)) {
    const int first = now.thread / kWarp * kWarp;
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((cell.read_lanes >> lane & 1u) == 0) continue;
      read.thread = static_cast<uint16_t>(first + lane);
      if (races(read, now, order, own_block)) return {read, false, true};
    }
  } else if (races(read, now, order, own_block)) {
    return {read, false, true};
  }
  for (const Moment& other : {cell.other_read, cell.other_block_read})
    if (races(other, now, order, own_block)) return {other, false, true};
  return {};
}

}  // namespace

Race record_read(Cell* cell, const Moment& now, const Order& order, bool own_block) {
  const unsigned lane = 1u << now.thread % kWarp;
  Moment& read = cell->read;
  const bool together = read.era == now.era && same_warp(read, now) && read.clock == now.clock;
  if (together && (cell->read_lanes & lane) != 0 && read.bytes == now.bytes) return {};
  if (races(cell->write, now, order, own_block)) return {cell->write, true, true};
  if (together) {
    cell->read_lanes |= lane;
    read.bytes |= now.bytes;
    return {};
  }
  if (read.era != 0 && order.current(read, own_block)) {
    if (order.of_other_block(read))
      cell->other_block_read = read;
    else if (!order.before(read, now.thread))
      cell->other_read = read;
  }
  read = now;
  cell->read_lanes = lane;
  return {};
}

Race record_write(Cell* cell, const Moment& now, const Order& order, bool own_block) {
  Race race;
  if (races(cell->write, now, order, own_block))
    race = {cell->write, true, true};
  else
    race = racing_read(*cell, now, order, own_block);
  cell->write = now;
  return race;
}

Cell* Shadow::find(uintptr_t page) {
  std::unique_ptr<Cell[]>& cells = pages_[page];
  if (cells == nullptr) cells = std::make_unique<Cell[]>(kPageBytes / kCellBytes);
  return cells.get();
}

void Shadow::shrink() {
  constexpr size_t kMostPages = 512;
  if (pages_.size() <= kMostPages) return;
  pages_.clear();
  found_ = {};
}

}  // namespace lynceus::simt::race
