#include "prepare/ordered_rows.h"

#include <utility>

namespace lynceus::prepare {

void OrderedRows::add(int64_t done, std::function<std::vector<io::Sample>()> make) {
  const auto launch = workers_ > 1 ? std::launch::async : std::launch::deferred;
  rows_.push_back(std::async(launch, [done, make = std::move(make)] {
    SourceRow row = make_row(make);
    row.done = done;
    return row;
  }));
  pass_on(static_cast<size_t>(workers_ > 1 ? workers_ - 1 : 0));
}

void OrderedRows::add(SourceRow row) {
  std::promise<SourceRow> ready;
  ready.set_value(std::move(row));
  rows_.push_back(ready.get_future());
  pass_on(static_cast<size_t>(workers_ > 1 ? workers_ - 1 : 0));
}

void OrderedRows::finish() { pass_on(0); }

void OrderedRows::pass_on(size_t keep) {
  while (rows_.size() > keep) {
    std::future<SourceRow> first = std::move(rows_.front());
    rows_.pop_front();
    sink_(first.get());
  }
}

}  // namespace lynceus::prepare
