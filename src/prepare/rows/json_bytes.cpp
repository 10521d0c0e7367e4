#include "prepare/rows/json_bytes.h"

#include <algorithm>

#include "io/files/lines.h"
#include "prepare/rows/json_scanner.h"

namespace lynceus::prepare {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

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

JsonBytes::Value JsonBytes::take_value(std::string& text) {
  constexpr uint64_t kMaxScanned = 4 * io::Lines::kMaxBytes;
  JsonScanner scanner;
  Value value;
  const uint64_t first = position();
  while (!scanner.is_done() && !scanner.is_faulty() && !at_end() &&
         position() - first <= kMaxScanned) {
    const char* begin = buffer_.data() + at_;
    const char* end = scanner.scan(begin, buffer_.data() + buffer_.size());
    const auto length = static_cast<size_t>(end - begin);
    value.is_short = value.is_short && text.size() + length <= io::Lines::kMaxBytes;
    if (value.is_short) text.append(begin, end);
    at_ += length;
    if (at_end()) fill();
  }
  value.is_whole = scanner.is_done() || (at_end() && scanner.is_word());
  value.text_begin = first + scanner.text_begin();
  return value;
}

void JsonBytes::skip_value() {
  JsonScanner scanner(JsonScanner::Mode::kCountsOnly);
  while (!scanner.is_done() && !at_end()) {
    const char* begin = buffer_.data() + at_;
    at_ += static_cast<size_t>(scanner.scan(begin, buffer_.data() + buffer_.size()) - begin);
    if (at_end()) fill();
  }
}

bool JsonBytes::take_again(uint64_t begin, uint64_t end, std::string& text) {
  const bool is_short = end - begin <= io::Lines::kMaxBytes;
  text.resize(is_short ? end - begin : 0);
  file_.read_at(begin, text.data(), text.size());
  offset_ = end;
  fill();
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
