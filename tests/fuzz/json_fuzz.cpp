// JSON of any bytes: every access to a parsed value gives a result or an InputError, and the
// written text parses to the same value.
#include "io/files/json.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

void ask(const io::Json& json) {
  fuzz::accepts([&] { json.boolean(); });
  fuzz::accepts([&] { json.integer(-5, 1 << 20); });
  fuzz::accepts([&] { json.number(); });
  fuzz::accepts([&] { json.string(); });
  fuzz::accepts([&] { json.integers(0); });
  fuzz::accepts([&] { json.at("a"); });
  fuzz::accepts([&] { json.find("a"); });
  fuzz::accepts([&] { json.at(size_t{1}); });
  json.where();
  fuzz::accepts([&] {
    for (const auto& [key, value] : json.members()) ask(value);
  });
  fuzz::accepts([&] {
    for (const io::Json& element : json.elements()) ask(element);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  for (const bool refuse_duplicates : {true, false}) {
    fuzz::accepts([&] {
      const io::Json json =
          io::Json::parse(input, "input", {.refuse_duplicate_keys = refuse_duplicates});
      ask(json);
      const std::string text = json.dump();
      fuzz::require(io::Json::parse(text, "again").dump() == text, "JSON written and read again");
    });
  }
  fuzz::accepts([&] {
    io::Json::parse(input, "input", {.max_bytes = 4096, .max_depth = 4, .max_values = 16});
  });
  fuzz::accepts([&] {
    const io::Json quoted = io::Json::parse(io::json_quoted(input), "quoted");
    fuzz::require(quoted.string() == input, "a quoted text");
  });
  return 0;
}
