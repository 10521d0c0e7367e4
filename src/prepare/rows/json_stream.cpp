#include "prepare/rows/json_stream.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text/units.h"
#include "io/files/lines.h"
#include "prepare/rows/json_bytes.h"
#include "prepare/rows/json_recovery.h"
#include "prepare/rows/json_scanner.h"
#include "prepare/rows/row_text.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {
namespace {

constexpr size_t kMaxKeys = 20;

io::Json parse_row(std::string_view text, const std::string& where) {
  io::JsonLimits limits;
  limits.max_bytes = io::Lines::kMaxBytes;
  limits.refuse_duplicate_keys = false;
  return io::Json::parse(text, where, limits);
}

/// Calls `sink` with a row that is parsed once, by `parse`.
template <typename Sink, typename Parse>
void pass_on(const Sink& sink, const Parse& parse) {
  std::optional<io::Json> value;
  sink([&] {
    if (!value) value = parse();
    return *value;
  });
}

/// Reads one file from front to back.
class ElementReader {
 public:
  ElementReader(const std::filesystem::path& path, const std::vector<std::string>& arrays,
                const JsonElementSink& sink)
      : path_(path.string()), arrays_(arrays), sink_(sink), bytes_(path) {}

  JsonArrays read() {
    const bool is_array = wanted("");
    const char first = bytes_.skip_space();
    if (bytes_.at_end()) return {};
    if (first != (is_array ? '[' : '{')) expected_shape();
    is_array ? read_array("") : read_object();
    bytes_.skip_space();
    if (!bytes_.at_end()) broken("after the end of the JSON value", "the end of the file");
    return std::move(result_);
  }

 private:
  bool wanted(const std::string& name) const {
    return std::find(arrays_.begin(), arrays_.end(), name) != arrays_.end();
  }

  void read_object() {
    bytes_.advance();
    std::vector<std::string> seen;
    while (true) {
      const char begin = bytes_.skip_space();
      if (begin == '}' || is_cut("}")) break;
      const std::string key = read_key();
      if (result_.keys.size() < kMaxKeys || wanted(key)) result_.keys.push_back(key.substr(0, 100));
      if (wanted(key)) {
        if (std::find(seen.begin(), seen.end(), key) != seen.end())
          throw InputError("{}: duplicate key '{}' in one object", path_, key);
        seen.push_back(key);
        if (bytes_.skip_space() != '[')
          throw InputError("{}: key {}: expected an array", path_, key);
        read_array(key);
      } else {
        bytes_.skip_value();
      }
      const char next = bytes_.skip_space();
      if (next == ',')
        bytes_.advance();
      else if (next != '}' && !bytes_.at_end())
        broken(fmt::format("after the member '{}'", key.substr(0, 100)), ", or }");
    }
    if (!bytes_.at_end()) bytes_.advance();
  }

  std::string read_key() {
    if (bytes_.skip_space() != '"') broken("in the object", "a key");
    text_.clear();
    bytes_.take_value(text_);
    const std::string key = parse_row(text_, path_ + ": a key of the object").string();
    if (bytes_.skip_space() != ':') broken(fmt::format("after the key '{}'", key), ":");
    bytes_.advance();
    bytes_.skip_space();
    return key;
  }

  void read_array(const std::string& name) {
    JsonRecovery recovery(bytes_.file(), name.empty());
    bytes_.advance();
    for (int64_t index = 0;;) {
      const char next = bytes_.skip_space();
      if (is_cut("]")) return;
      if (next == ']') break;
      if (next == ',')
        bytes_.advance();
      else
        read_element(name, index++, recovery);
    }
    bytes_.advance();
  }

  void read_element(const std::string& name, int64_t index, JsonRecovery& recovery) {
    const uint64_t begin = bytes_.position();
    text_.clear();
    const JsonBytes::Value value = bytes_.take_value(text_);
    bool is_short = value.is_short;
    if (!value.is_whole || !is_followed_by_next(name.empty(), recovery)) {
      const uint64_t fault = bytes_.position();
      const auto end = recovery.find(begin, fault, value.is_whole ? fault : value.text_begin);
      is_short = bytes_.take_again(begin, end.offset, text_);
      if (!end.is_found) add_note(fmt::format("no row was found after byte {}", begin));
    }
    pass_on([&](const JsonRow& row) { sink_(name, row); },
            [&] {
              const std::string where = fmt::format("{}: {}[{}]", path_, name, index);
              if (!is_short)
                throw InputError("{}: more than {} bytes", where, io::Lines::kMaxBytes);
              return parse_row(text_, where);
            });
  }

  /// Whether a comma or the end of the array follows the element in text_. Otherwise the position
  /// is where it should have been.
  bool is_followed_by_next(bool is_whole_file, JsonRecovery& recovery) {
    const char next = bytes_.skip_space();
    if (bytes_.at_end()) return is_whole_file;
    if (next == ']') {
      const uint64_t at = bytes_.position();
      return recovery.ends_array(at) || !recovery.is_stray_bracket(at);
    }
    if (next != ',') return false;
    bytes_.advance();
    // A member cannot follow an object: the object ended too early.
    return bytes_.skip_space() != '"' || !text_.starts_with('{') ||
           !recovery.is_member(bytes_.position());
  }

  /// Whether the file ends here, before the bracket.
  bool is_cut(const char* bracket) {
    if (!bytes_.at_end()) return false;
    add_note(fmt::format("it has no {} at its end", bracket));
    return true;
  }

  /// One says enough about a file.
  void add_note(const std::string& found) {
    if (!result_.notes.empty()) return;
    result_.notes.push_back(
        fmt::format("{}: {}: check that nothing is missing at its end", path_, found));
  }

  [[noreturn]] void broken(const std::string& place, const char* expected) {
    bytes_.skip_space();
    throw InputError(
        "{}: not valid JSON {}: expected {}, found {} at byte {}; brackets or quotes do not match, "
        "so the rest of the file cannot be read",
        path_, place, expected, bytes_.found(), bytes_.position());
  }

  [[noreturn]] void expected_shape() {
    const bool is_array = wanted("");
    std::string names;
    for (const std::string& name : arrays_) names += (names.empty() ? "" : ", ") + name;
    throw InputError("{}: expected JSON that is {}, found {}", path_,
                     is_array ? "an array" : "an object with the arrays " + names, bytes_.found());
  }

  const std::string path_;
  const std::vector<std::string>& arrays_;
  const JsonElementSink& sink_;
  JsonBytes bytes_;
  std::string text_;  // of the current element
  JsonArrays result_;
};

/// Whether the line is a value and nothing else, as far as its brackets and quotes say.
bool is_whole_value(std::string_view line) {
  JsonScanner scanner;
  const char* const end = scanner.scan(line.begin(), line.end());
  return scanner.is_done() && io::is_blank(std::string_view(end, line.end()));
}

/// Whether the file begins with a line that is an array, and its next line is neither the rest of
/// one nor of its rows: then each line is a row, as in JSONL.
bool has_array_per_line(const std::filesystem::path& path) {
  const io::File file = io::File::open(path);
  const uint64_t begin = io::text_begin(file);
  const uint64_t most = std::min(file.size(), begin + io::Lines::kMaxBytes);
  for (uint64_t bytes = 64 << 10;; bytes *= 16) {
    std::string head = file.head(std::min(most, bytes));
    const std::string text = trimmed(head.substr(std::min<uint64_t>(begin, head.size())));
    const size_t end = text.find('\n');
    if (end != std::string::npos) {
      const char next = trimmed(text.substr(end))[0];
      return next != ',' && next != ']' && is_whole_value(std::string_view(text).substr(0, end));
    }
    if (head.size() == most) return false;  // one line, or a very long one
  }
}

/// Refuses a file that is one object and no row: the annotations of COCO, a split of Karpathy.
void refuse_single_object(const std::filesystem::path& path) {
  io::Lines lines(path);
  std::string first;
  std::string second;
  bool is_long = false;
  const auto next = [&](std::string& line) {
    while (true) {
      try {
        if (!lines.next(line)) return false;
        if (!io::is_blank(line)) return true;
      } catch (const InputError&) {
        is_long = true;
        return true;
      }
    }
  };
  if (!next(first)) return;
  const bool is_first_long = is_long;
  const bool is_single = !next(second);
  if (!is_first_long && is_whole_value(first)) return;
  constexpr size_t kShown = 80;
  first = trimmed(first);
  second = trimmed(second);
  // Inside an object that continues on the next line, that line begins with a key.
  if ((is_single && is_first_long) || (!is_single && second.starts_with('"')))
    throw InputError(
        "{}: expected a JSON array of rows, or one object per line, found a single object over {}",
        path.string(),
        is_single ? "a line of more than 16 MiB"
                  : fmt::format("several lines, which begins with {} {}", first.substr(0, kShown),
                                second.substr(0, kShown)));
}

}  // namespace

io::Json object_of(io::Json row) {
  if (row.is_object()) return row;
  const std::string found =
      row.is_array() ? fmt::format("an array of {}", counted(std::ssize(row.elements()), "value"))
                     : row.dump().substr(0, 100);
  throw RejectedRow("no object", "{}: expected an object, found {}", row.where(), found);
}

JsonArrays read_json_elements(const std::filesystem::path& path,
                              const std::vector<std::string>& arrays, const JsonElementSink& sink) {
  return ElementReader(path, arrays, sink).read();
}

JsonRows::JsonRows(std::filesystem::path path) : path_(std::move(path)) {
  const char first = JsonBytes(path_).skip_space();
  is_array_ = first == '[' && !has_array_per_line(path_);
  if (first == '{') refuse_single_object(path_);
  if (is_array_) {
    const auto count = [&](const std::string&, const JsonRow&) { ++count_; };
    notes_ = read_json_elements(path_, {""}, count).notes;
  } else {
    count_ = io::count_filled_lines(path_);
  }
}

void JsonRows::for_each(const std::function<void(const JsonRow& row)>& sink) const {
  if (is_array_) {
    read_json_elements(path_, {""}, [&](const std::string&, const JsonRow& row) {
      sink([&] { return object_of(row()); });
    });
    return;
  }
  io::Lines lines(path_);
  std::string line;
  while (true) {
    std::optional<InputError> fault;
    try {
      if (!lines.next(line)) return;
    } catch (const InputError& error) {
      fault = error;
    }
    if (!fault && io::is_blank(line)) continue;
    pass_on(sink, [&] {
      if (fault) throw InputError(*fault);
      return object_of(parse_row(line, fmt::format("{}:{}", path_.string(), lines.line_number())));
    });
  }
}

}  // namespace lynceus::prepare
