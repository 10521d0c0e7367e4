#include "prepare/rows/parquet.h"

#include <string_view>
#include <system_error>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::prepare {

void refuse_parquet(const std::filesystem::path& path) {
  constexpr std::string_view kMagic = "PAR1";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return;
  const io::File file = io::File::open(path);
  char first[kMagic.size()];
  if (file.size() < sizeof(first)) return;
  file.read_at(0, first, sizeof(first));
  if (std::string_view(first, sizeof(first)) != kMagic) return;
  throw InputError(
      "{}: a parquet file, which is not read; this makes JSON lines of it: python3 -c \"import "
      "pandas; pandas.read_parquet('{}').to_json('{}', orient='records', lines=True)\"",
      path.string(), path.string(),
      std::filesystem::path(path).replace_extension(".jsonl").string());
}

}  // namespace lynceus::prepare
