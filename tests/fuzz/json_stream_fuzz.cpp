// Files of JSON arrays, read one element at a time. If the file parses as one document, its
// elements are those of the stream.
#include "prepare/rows/json_stream.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

constexpr const char* kArrays[] = {"a", "images"};

/// The elements that the stream must give; nullopt if the document is invalid.
std::optional<std::string> elements_of(const std::string& input, bool top_level) {
  std::string all;
  const bool parsed = fuzz::accepts([&] {
    const io::Json json =
        io::Json::parse(input, "whole", {.max_depth = 62, .refuse_duplicate_keys = false});
    if (top_level) {
      for (const io::Json& element : json.elements()) all += element.dump() + "\n";
    } else {
      for (const char* name : kArrays)
        if (const auto array = json.find(name))
          for (const io::Json& element : array->elements()) all += element.dump() + "\n";
    }
  });
  return parsed ? std::optional(all) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const auto path = fuzz::folder().file("stream.json", input);
  std::string streamed;
  const bool is_array = fuzz::accepts([&] {
    prepare::read_json_elements(path, {""}, [&](const std::string&, const prepare::JsonRow& row) {
      streamed += row().dump() + "\n";
    });
  });
  const auto whole = elements_of(input, true);
  if (is_array && whole) fuzz::require(streamed == *whole, "elements of a streamed array");
  fuzz::accepts([&] {
    prepare::read_json_elements(
        path, {kArrays[0], kArrays[1]},
        [&](const std::string&, const prepare::JsonRow& row) { row().dump(); });
  });
  fuzz::accepts([&] {
    const prepare::JsonRows rows(path);
    int64_t count = 0;
    rows.for_each([&](const prepare::JsonRow& row) {
      ++count;
      fuzz::accepts([&] { row().dump(); });
    });
    fuzz::require(count == rows.count(), "rows counted twice");
  });
  return 0;
}
