#include "prepare/inputs.h"

#include <filesystem>
#include <map>
#include <system_error>

#include "core/error.h"
#include "core/log.h"
#include "core/text/text_encoding.h"
#include "io/files/file.h"
#include "prepare/account.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

/// By its name and its first bytes.
bool is_reject_list(const std::string& input) {
  constexpr std::string_view kBegin = "{\"row\": ";
  std::error_code ignored;
  if (!input.ends_with(rejects_path("", "").string()) || !fs::is_regular_file(input, ignored))
    return false;
  return io::File::open(input).head(kBegin.size()) == kBegin;
}

void warn_of_repeated(const std::vector<std::string>& inputs) {
  std::map<fs::path, std::string> seen;  // by the path without links
  for (const std::string& input : inputs) {
    std::error_code is_missing;
    const fs::path path = fs::canonical(input, is_missing);
    if (is_missing) continue;
    const auto [other, is_new] = seen.emplace(path, input);
    if (!is_new)
      log::warn("--input: {} is the same as {}: its rows are read twice", printable(input),
                printable(other->second));
  }
  for (const auto& [path, input] : seen) {
    for (fs::path above = path.parent_path(); above.has_relative_path();
         above = above.parent_path())
      if (const auto other = seen.find(above); other != seen.end())
        log::warn("--input: {} is inside {}: its rows are read twice", printable(input),
                  printable(other->second));
  }
}

}  // namespace

std::vector<std::string> checked_inputs(const std::vector<std::string>& inputs, bool warns) {
  std::vector<std::string> checked;
  for (const std::string& input : inputs) {
    if (!is_reject_list(input)) {
      checked.push_back(input);
    } else if (warns) {
      log::warn("--input: {} is left out: it is a list of rejected rows of an earlier run",
                printable(input));
    }
  }
  if (checked.empty() && !inputs.empty())
    throw UsageError(
        "--input {}: expected a corpus, found the list of rejected rows of an earlier "
        "run",
        printable(inputs[0]));
  if (warns) warn_of_repeated(checked);
  return checked;
}

}  // namespace lynceus::prepare
