// Lines, rows of JSONL, of TSV and of CSV. A refused row does not end the file: the next call
// continues.
#include "core/text/text_encoding.h"
#include "fuzz/fuzz.h"
#include "io/files/lines.h"
#include "io/files/table.h"

using namespace lynceus;

namespace {

/// All rows, refused ones too. Each call must advance.
template <typename Rows>
void read_rows(Rows rows) {
  int64_t before = 0;
  for (bool more = true; more;) {
    fuzz::accepts([&] {
      const auto row = rows.next();
      more = row.has_value();
      if (more) row->dump();
    });
    if (more) fuzz::require(rows.line_number() > before, "each row advances the line number");
    before = rows.line_number();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path = fuzz::folder().file("rows", input);
  const std::string text = input.substr(byte_order_mark(input));
  const bool is_utf8 = fuzz::accepts([&] {
    io::Lines lines(path);
    std::string joined;
    for (std::string line; lines.next(line);) joined += line + "\n";
    if (!text.empty() && !text.ends_with('\n')) joined.pop_back();
    fuzz::require(joined == text, "lines joined again");
    if (!text.empty()) fuzz::require(lines.line_number() == io::count_lines(path), "lines counted");
  });
  if (!is_utf8) return 0;
  read_rows(io::JsonLines(path));
  for (const auto format : {io::TableFormat::kTsv, io::TableFormat::kCsv}) {
    fuzz::accepts([&] { read_rows(io::TableRows(path, format, /*has_header=*/true)); });
    read_rows(io::TableRows(path, format, /*has_header=*/false));
  }
  return 0;
}
