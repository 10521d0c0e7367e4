// Rows whose samples take long to make (videos), made by several threads and passed on in order.
#pragma once

#include <deque>
#include <functional>
#include <future>
#include <vector>

#include "prepare/rows/json_stream.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

class OrderedRows {
 public:
  /// `workers`: rows made at a time. With 1, each row is made in add() by the calling thread.
  OrderedRows(int workers, const RowSink& sink) : workers_(workers), sink_(sink) {}
  /// Waits for rows that are still being made, and drops them.
  ~OrderedRows() = default;
  OrderedRows(const OrderedRows&) = delete;
  OrderedRows& operator=(const OrderedRows&) = delete;

  /// `make` as for make_row, `done` as in SourceRow. May pass earlier rows to the sink, in the
  /// calling thread.
  void add(int64_t done, std::function<RowContent()> make);
  /// A row of a JSON file. Other threads make it only if it has a video: under the key video or
  /// videos or, if `always_video`, in any case.
  void add(int64_t done, const JsonRow& row,
           const std::function<RowContent(const io::Json& row)>& make, bool always_video = false);
  /// A finished row.
  void add(SourceRow row);
  /// Passes all remaining rows to the sink.
  void finish();

 private:
  void pass_on(size_t keep);

  int workers_;
  const RowSink& sink_;
  std::deque<std::future<SourceRow>> rows_;
};

}  // namespace lynceus::prepare
