#include "prepare/reject_list.h"

#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/text/text_encoding.h"
#include "io/files/json.h"
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
  // Names of files and of keys come from the corpus.
  const auto quoted = [](const std::string& text) { return io::json_quoted(printable(text)); };
  const std::string line = fmt::format("{{\"row\": {}, \"reject\": {}, \"problem\": {}}}\n", number,
                                       quoted(row.reject), quoted(row.problem));
  file_.append(line.data(), line.size());
  bytes_ += line.size();
  ++counts_[row.reject];
}

void RejectList::sync() {
  if (file_.is_open()) file_.sync();
}

int64_t RejectList::count() const { return total_of(counts_); }

}  // namespace lynceus::prepare
