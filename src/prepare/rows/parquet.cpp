#include "prepare/rows/parquet.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

/// A name that is not taken: NAME.jsonl, NAME-rows.jsonl, NAME-rows-2.jsonl ...
fs::path free_name(const fs::path& input) {
  fs::path name = input;
  name.replace_extension(".jsonl");
  std::error_code error;
  for (int copy = 1; fs::exists(fs::symlink_status(name, error)); ++copy)
    name.replace_filename(fmt::format("{}-rows{}.jsonl", input.stem().string(),
                                      copy == 1 ? "" : fmt::format("-{}", copy)));
  return name;
}

}  // namespace

void refuse_parquet(const fs::path& path) {
  constexpr std::string_view kMagic = "PAR1";
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return;
  const io::File file = io::File::open(path);
  char first[kMagic.size()];
  if (file.size() < sizeof(first)) return;
  file.read_at(0, first, sizeof(first));
  if (std::string_view(first, sizeof(first)) != kMagic) return;
  throw InputError(
      "{}: a parquet file, which is not read; this makes JSON lines of it: python3 -c 'import sys, "
      "pandas; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient=\"records\", "
      "lines=True)' {} {}",
      path.string(), shell_quoted(path.string()), shell_quoted(free_name(path).string()));
}

}  // namespace lynceus::prepare
