// INI files and command lines over a struct with a field of every kind. What is accepted prints as
// an INI file that gives the same values.
#include "core/config/config.h"

#include <sstream>

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

struct Everything {
  bool flag = false;
  int small = 1;
  int64_t large = 2;
  uint64_t positive = 3;
  double real = 0.5;
  std::string text = "words";
  std::optional<int64_t> absent;
  std::string one = "none";
  std::vector<std::string> many = {"a", "b"};

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("flag", flag, "help");
    v.section("s", "values");
    v.field("s.small", small, "help");
    v.field("s.large", large, "help");
    v.field("s.positive", positive, "help");
    v.field("s.real", real, "help");
    v.field("s.text", text, "help");
    v.section("t", "more values");
    v.field("t.absent", absent, "help");
    v.choice("t.one", one, {"none", "layer"}, "help");
    v.list("t.many", many, "help");
  }
};

/// The printed config after `fill`, and its values; nullopt if it is refused.
template <typename Fill>
std::optional<std::string> printed(const Fill& fill, std::vector<std::string>* values) {
  Everything everything;
  ConfigReader reader;
  reader.add(everything);
  try {
    fill(reader);
    reader.check();
  } catch (const UsageError&) {
    return std::nullopt;
  }
  reader.help();
  for (const ConfigValue& value : reader.values()) values->push_back(value.key + "=" + value.value);
  return reader.print();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  const std::string path = fuzz::folder().file("fuzzed.ini", input);
  std::vector<std::string> first, second;
  const auto text = printed([&](ConfigReader& reader) { reader.read_file(path); }, &first);
  if (text) {
    const std::string again = fuzz::folder().file("printed.ini", *text);
    const bool read =
        printed([&](ConfigReader& reader) { reader.read_file(again); }, &second).has_value();
    fuzz::require(read && first == second, "a config printed and read again");
  }
  std::vector<std::string> arguments;
  std::istringstream lines(input);
  // Without --config, which could name any file of the machine.
  for (std::string line; std::getline(lines, line);)
    if (line.find("config") == std::string::npos) arguments.push_back(line);
  printed([&](ConfigReader& reader) { reader.read(arguments); }, &first);
  return 0;
}
