#include "prepare/rows/json_bytes.h"

#include <algorithm>

#include "io/files/lines.h"

namespace lynceus::prepare {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// Where in a value the reader is.
struct Place {
  int64_t depth = 0;
  bool in_string = false;
  bool escaped = false;  // the next byte belongs to an escape
  bool in_word = false;  // a number, true, NaN
  bool done = false;
};

/// Moves over the bytes of a string, up to the byte after its last quote or to `end`.
const char* scan_string(const char* at, const char* end, Place& place) {
  for (; at != end; ++at) {
    if (place.escaped) {
      place.escaped = false;
    } else if (*at == '\\') {
      place.escaped = true;
    } else if (*at == '"') {
      place.in_string = false;
      place.done = place.depth == 0 && !place.in_word;
      return at + 1;
    }
  }
  return at;
}

/// Moves over the bytes up to the end of the value or to `end`.
const char* scan(const char* at, const char* end, Place& place) {
  while (at != end && !place.done) {
    if (place.in_string) {
      at = scan_string(at, end, place);
      continue;
    }
    switch (*at) {
      case '"':
        place.in_string = true;
        break;
      case '{':
      case '[':
        ++place.depth;
        break;
      case '}':
      case ']':
        place.done = place.depth == 0 || (place.depth == 1 && !place.in_word);
        if (place.depth == 0) return at;
        --place.depth;
        break;
      case ',':
        place.done = place.depth == 0;
        if (place.done) return at;
        break;
      default:
        place.in_word |= place.depth == 0;
    }
    ++at;
  }
  return at;
}

}  // namespace

JsonBytes::JsonBytes(const std::filesystem::path& path)
    : file_(io::File::open(path)), size_(file_.size()), offset_(io::text_begin(file_)) {
  fill();
}

void JsonBytes::fill() {
  constexpr uint64_t kChunkBytes = 1 << 20;
  buffer_.resize(std::min(kChunkBytes, size_ - offset_));
  file_.read_at(offset_, buffer_.data(), buffer_.size());
  offset_ += buffer_.size();
  at_ = 0;
}

void JsonBytes::advance() {
  if (++at_ == buffer_.size()) fill();
}

char JsonBytes::skip_space() {
  while (!at_end() && is_space(buffer_[at_])) advance();
  return at_end() ? '\0' : buffer_[at_];
}

bool JsonBytes::take_value(std::string* text) {
  Place place;
  bool is_short = true;
  while (!place.done && !at_end()) {
    const char* begin = buffer_.data() + at_;
    const char* end = scan(begin, buffer_.data() + buffer_.size(), place);
    if (text != nullptr) {
      is_short = is_short && text->size() + (end - begin) <= io::Lines::kMaxBytes;
      if (is_short) text->append(begin, end);
    }
    at_ += static_cast<size_t>(end - begin);
    if (at_end()) fill();
  }
  return is_short;
}

std::string JsonBytes::found() const {
  if (at_end()) return "the end of the file";
  constexpr size_t kShown = 20;
  std::string shown = buffer_.substr(at_, kShown);
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return "'" + shown + "'";
}

}  // namespace lynceus::prepare
