#include "prepare/reject_list.h"

#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/files/json.h"
#include "io/files/json_value.h"
#include "prepare/account.h"

namespace lynceus::prepare {

namespace fs = std::filesystem;

RejectList::RejectList(fs::path path, uint64_t bytes, std::map<std::string, int64_t> counts)
    : path_(std::move(path)), bytes_(bytes), counts_(std::move(counts)) {
  if (bytes_ == 0) {
    std::error_code ignored;
    fs::remove(path_, ignored);
    return;
  }
  io::truncate_file(path_, bytes_);
  first_problem_ = io::JsonLines(path_).next().value().at("problem").string();
  file_ = io::File::open_appending(path_);
}

void RejectList::add(int64_t number, const SourceRow& row) {
  if (!file_.is_open()) {
    file_ = io::File::create(path_);
    first_problem_ = row.problem;
  }
  // File names in a problem may be invalid UTF-8.
  const std::string problem = io::JsonValue(row.problem).dump_replacing();
  const std::string line = fmt::format("{{\"row\": {}, \"reject\": \"{}\", \"problem\": {}}}\n",
                                       number, row.reject, problem);
  file_.append(line.data(), line.size());
  bytes_ += line.size();
  ++counts_[row.reject];
}

void RejectList::sync() {
  if (file_.is_open()) file_.sync();
}

int64_t RejectList::count() const { return total_of(counts_); }

}  // namespace lynceus::prepare
