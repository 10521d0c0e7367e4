// Rows whose samples take long to make, made by several threads and given in their order. Used by
// the sources that read videos.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <vector>

#include "prepare/source.h"

namespace lynceus::prepare {

class OrderedRows {
 public:
  /// `workers`: rows that are made at a time; with 1 each is made when it is added.
  OrderedRows(int workers, const RowSink& sink) : workers_(workers), sink_(sink) {}
  /// Waits for what is still being made, and drops it.
  ~OrderedRows() = default;
  OrderedRows(const OrderedRows&) = delete;
  OrderedRows& operator=(const OrderedRows&) = delete;

  /// `make` as for make_row. Rows before this one may be given meanwhile, by the calling thread.
  void add(int64_t done, std::function<std::vector<io::Sample>()> make);
  /// A row that needs no work.
  void add(SourceRow row);
  /// Gives all that is left.
  void finish();

 private:
  void give(size_t keep);

  int workers_;
  const RowSink& sink_;
  std::deque<std::future<SourceRow>> rows_;
};

}  // namespace lynceus::prepare
