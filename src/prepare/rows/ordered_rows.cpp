#include "prepare/rows/ordered_rows.h"

#include <optional>
#include <utility>

#include "prepare/rows/row_keys.h"

namespace lynceus::prepare {

void OrderedRows::add(int64_t done, std::function<RowContent()> make) {
  const auto launch = workers_ > 1 ? std::launch::async : std::launch::deferred;
  rows_.push_back(std::async(launch, [done, make = std::move(make)] {
    SourceRow row = make_row(make);
    row.done = done;
    return row;
  }));
  pass_on(static_cast<size_t>(workers_ > 1 ? workers_ - 1 : 0));
}

void OrderedRows::add(int64_t done, const JsonRow& row,
                      const std::function<RowContent(const io::Json& row)>& make,
                      bool always_video) {
  std::optional<io::Json> video;
  SourceRow ready = make_row([&]() -> RowContent {
    const io::Json value = row();
    if (workers_ > 1 && value.is_object() &&
        (always_video || content_of(value, "video") || content_of(value, "videos"))) {
      video = value;
      return {};
    }
    return make(value);
  });
  if (video) return add(done, [video, make] { return make(*video); });
  ready.done = done;
  add(std::move(ready));
}

void OrderedRows::add(SourceRow row) {
  if (rows_.empty()) return sink_(std::move(row));
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
