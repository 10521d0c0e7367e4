#include "prepare/rows/source.h"

namespace lynceus::prepare {

SourceRow make_row(const std::function<std::vector<io::Sample>()>& make) {
  SourceRow row;
  try {
    row.samples = make();
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
