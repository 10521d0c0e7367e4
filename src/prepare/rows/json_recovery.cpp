#include "prepare/rows/json_recovery.h"

#include <algorithm>

#include "io/files/lines.h"
#include "prepare/rows/json_scanner.h"

namespace lynceus::prepare {
namespace {

constexpr uint64_t kChunkBytes = 64 << 10;
constexpr int kFollowedObjects = 64;
constexpr uint64_t kFollowedBytes = 1 << 20;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

JsonRecovery::JsonRecovery(const io::File& file, bool is_whole_file)
    : file_(file), size_(file.size()), is_whole_file_(is_whole_file) {}

std::string_view JsonRecovery::bytes_from(uint64_t offset) {
  if (offset >= size_) return {};
  if (offset < chunk_begin_ || offset >= chunk_begin_ + chunk_.size()) {
    chunk_begin_ = offset / kChunkBytes * kChunkBytes;  // also for small steps back
    chunk_.resize(std::min(kChunkBytes, size_ - chunk_begin_));
    file_.read_at(chunk_begin_, chunk_.data(), chunk_.size());
  }
  return std::string_view(chunk_).substr(offset - chunk_begin_);
}

char JsonRecovery::at(uint64_t offset) {
  const std::string_view bytes = bytes_from(offset);
  return bytes.empty() ? '\0' : bytes[0];
}

uint64_t JsonRecovery::skip_space(uint64_t offset) {
  while (offset < size_ && is_space(at(offset))) ++offset;
  return offset;
}

uint64_t JsonRecovery::end_of_text(uint64_t offset) {
  for (++offset; offset < size_ && at(offset) != '"'; ++offset)
    if (at(offset) == '\\') ++offset;
  return std::min(offset + 1, size_);
}

bool JsonRecovery::is_member(uint64_t offset) {
  return at(offset) == '"' && at(skip_space(end_of_text(offset))) == ':';
}

std::string JsonRecovery::first_key(uint64_t object) {
  const uint64_t begin = skip_space(object + 1);
  if (at(object) != '{' || !is_member(begin)) return "";
  std::string key;
  constexpr uint64_t kMaxKeyBytes = 100;
  const uint64_t end = std::min(end_of_text(begin), begin + kMaxKeyBytes);
  for (uint64_t i = begin; i < end; ++i) key += at(i);
  return key;
}

bool JsonRecovery::ends_array(uint64_t offset) {
  const uint64_t next = skip_space(offset + 1);
  if (next == size_) return true;
  if (is_whole_file_) return false;
  if (at(next) == ',') return is_member(skip_space(next + 1));
  return at(next) == '}' && skip_space(next + 1) == size_;
}

bool JsonRecovery::is_stray_bracket(uint64_t offset) {
  const uint64_t next = skip_space(offset + 1);
  return at(next) == ']' || (at(next) == ',' && at(skip_space(next + 1)) == '{');
}

bool JsonRecovery::ends_text(uint64_t quote, bool in_object) {
  const uint64_t next = skip_space(quote + 1);
  if (next == size_) return true;
  const char c = at(next);
  if (c != ',') return c == ':' || c == '}' || c == ']';
  const char value = at(skip_space(next + 1));
  if (in_object) return value == '"';
  return std::string_view("\"{[-0123456789tfnNI").find(value) != std::string_view::npos;
}

bool JsonRecovery::may_be_object(uint64_t offset) {
  if (at(offset) != '{') return false;
  const char next = at(skip_space(offset + 1));
  return next == '"' || next == '}';
}

bool JsonRecovery::has_row_or_line_end(uint64_t begin, uint64_t end) {
  char last = '\0';
  for (uint64_t i = begin; i < end; ++i) {
    const char c = at(i);
    if (c == '\n' || (last == ',' && may_be_object(i))) return true;
    if (!is_space(c)) last = c;
  }
  return false;
}

uint64_t JsonRecovery::end_with_stray_quotes(uint64_t begin) {
  JsonScanner scanner(JsonScanner::Mode::kAsks);
  uint64_t offset = begin;
  bool has_stray = false;
  while (!scanner.is_done()) {
    const std::string_view bytes = bytes_from(offset);
    if (bytes.empty() || scanner.is_faulty() || offset - begin > io::Lines::kMaxBytes) return 0;
    offset += static_cast<uint64_t>(scanner.scan(bytes.begin(), bytes.end()) - bytes.begin());
    if (!scanner.is_at_quote()) continue;
    const bool ends = ends_text(offset, scanner.is_in_object());
    // A text that reaches into the next row lacks a quote; there is none too many.
    if (has_stray && ends && has_row_or_line_end(begin + scanner.text_begin(), offset)) return 0;
    has_stray = !ends;
    scanner.pass_quote(ends);
    ++offset;
  }
  const uint64_t next = skip_space(offset);
  if (next == size_) return is_whole_file_ ? offset : 0;
  return at(next) == ',' || (at(next) == ']' && ends_array(next)) ? offset : 0;
}

/// Sets `skip` to where the search continues if it is no row.
bool JsonRecovery::is_row(uint64_t offset, uint64_t& skip) {
  skip = offset + 1;
  const bool is_empty = at(offset) == '{' && at(skip_space(offset + 1)) == '}';
  if (!is_empty && first_key(offset).empty()) return false;
  uint64_t next = offset;
  for (int followed = 0; followed < kFollowedObjects; ++followed) {
    JsonScanner scanner;
    while (!scanner.is_done() && !scanner.is_faulty()) {
      const std::string_view bytes = bytes_from(next);
      if (bytes.empty() || next - offset > kFollowedBytes) break;
      next += static_cast<uint64_t>(scanner.scan(bytes.begin(), bytes.end()) - bytes.begin());
    }
    if (!scanner.is_done()) return true;
    skip = next;
    next = skip_space(next);
    if (next == size_) return true;
    if (at(next) == ']') return ends_array(next) || is_stray_bracket(next);
    if (at(next) == ',') {
      next = skip_space(next + 1);
      if (at(next) != '{') return is_member(next);
    } else if (at(next) != '{') {
      return true;
    }
  }
  return true;
}

/// Without the comma and the white space before `next`.
uint64_t JsonRecovery::end_before(uint64_t next, uint64_t begin) {
  const auto back = [&] {
    while (next > begin && is_space(at(next - 1))) --next;
  };
  back();
  if (next > begin + 1 && at(next - 1) == ',') {
    --next;
    back();
  }
  return next;
}

JsonRecovery::End JsonRecovery::find(uint64_t begin, uint64_t fault, uint64_t text) {
  if (text != fault)
    if (const uint64_t end = end_with_stray_quotes(begin); end > 0) return {end, true};
  const uint64_t after = std::min(fault, text);
  const std::string key = first_key(begin);
  char last = '\0';
  bool begins_line = false;
  uint64_t skip = 0;  // objects before it are no rows
  for (uint64_t i = begin; i < size_; ++i) {
    const char c = at(i);
    if (is_space(c)) {
      begins_line |= c == '\n';
      continue;
    }
    if (c == '{' && i > begin && i >= skip) {
      const bool is_alike = !key.empty() && first_key(i) == key;
      const bool is_next = last == ',' || last == '}' || (begins_line && is_alike);
      if (is_next && (is_alike || i >= after) && is_row(i, skip))
        return {end_before(i, begin), true};
    } else if (c == ']' && (is_whole_file_ || (i >= after && last == '}')) && ends_array(i)) {
      return {end_before(i, begin), true};
    }
    last = c;
    begins_line = false;
  }
  return {size_, false};
}

}  // namespace lynceus::prepare
