// The sources of `prepare` on foreign JSON, JSONL and TSV: every row gives samples or a reason. The
// first byte selects the source that reads the others.
#include "fuzz/fuzz.h"
#include "fuzz/picture.h"
#include "prepare/sources/coco.h"
#include "prepare/sources/jsonl.h"
#include "prepare/sources/llava.h"
#include "prepare/sources/openvqa.h"

using namespace lynceus;

namespace {

void read(prepare::Source&& source) {
  const int64_t total = source.extent().total;
  for (const int64_t skip : {0, 1}) {
    int64_t rows = 0;
    source.read(skip, [&](const prepare::SourceRow& row) {
      ++rows;
      fuzz::require(row.done <= total, "no row after the end");
      fuzz::require(row.reject.empty() || row.samples.empty(), "samples or a reason");
      for (const io::Sample& sample : row.samples)
        fuzz::require(!sample.turns.empty(), "a sample has text");
    });
    if (source.extent().rows > 0) fuzz::require(rows <= total, "as many rows as were counted");
  }
}

void read_from(char choice, const std::string& text) {
  const auto json = fuzz::folder().file("rows.json", text);
  constexpr auto kHeader = prepare::ImageCheck::kHeader;
  const bool first = (choice & 8) != 0;
  switch (choice & 7) {
    case 0:
      return read(
          prepare::JsonlSource({.file = json, .first_caption_only = first, .check = kHeader}));
    case 1:
      return read(prepare::JsonlSource(
          {.file = fuzz::folder().file("rows.tsv", text),
           .map = first ? prepare::FieldMap{{"image", "1"}, {"caption", "2"}} : prepare::FieldMap{},
           .check = kHeader}));
    case 2:
      return read(
          prepare::CocoSource({.file = json, .first_caption_only = first, .check = kHeader}));
    case 3:
      return read(prepare::LlavaSource({.file = json, .check = kHeader}));
    case 4:
      for (const std::string& name : prepare::OpenVqaSource::classes(json))
        read(prepare::OpenVqaSource(
            {.file = json, .question_class = name, .takes_malformed = first, .check = kHeader}));
      return;
    default:
      return read(prepare::LlavaSource({.file = json, .check = kHeader}));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const auto picture = fuzz::folder().file("a.png", fuzz::kPicture);
  fuzz::accepts([&] { read_from(static_cast<char>(data[0]), fuzz::text_of(data + 1, size - 1)); });
  return 0;
}
