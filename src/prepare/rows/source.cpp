#include "prepare/rows/source.h"

#include <utility>

namespace lynceus::prepare {

LeftOut left_out(const char* kind, size_t count) {
  if (count == 0) return {};
  return {{kind, static_cast<int64_t>(count)}};
}

SourceRow make_row(const std::function<RowContent()>& make) {
  SourceRow row;
  try {
    RowContent content = make();
    row.samples = std::move(content.samples);
    row.left_out = std::move(content.left_out);
  } catch (const RejectedRow& error) {
    row.reject = error.kind();
    row.problem = error.what();
  } catch (const InputError& error) {
    row.reject = "malformed row";
    row.problem = error.what();
  }
  return row;
}

}  // namespace lynceus::prepare
