#include "io/files/lines.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "core/text/text_encoding.h"

namespace lynceus::io {

uint64_t text_begin(const File& file) {
  const std::string head = file.head(kForeignHeadBytes);
  if (!head.empty()) refuse_foreign(head, file.path().string(), "text in UTF-8");
  return head.size() - utf8_text(head, file.path().string()).size();
}

Lines::Lines(const std::filesystem::path& path)
    : file_(File::open(path)), size_(file_.size()), offset_(text_begin(file_)) {}

bool Lines::fill() {
  constexpr uint64_t kChunkBytes = 1ull << 20;
  const size_t count = std::min(kChunkBytes, size_ - offset_);
  if (count == 0) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old = buffer_.size();
  buffer_.resize(old + count);
  file_.read_at(offset_, buffer_.data() + old, count);
  offset_ += count;
  return true;
}

bool Lines::next(std::string& line) {
  size_t searched = 0;
  size_t end;
  bool too_long = false;
  while ((end = buffer_.find('\n', begin_ + searched)) == std::string::npos) {
    searched = buffer_.size() - begin_;
    if (searched > kMaxBytes) {  // drop the refused line and look only for its end
      too_long = true;
      begin_ = buffer_.size();
      searched = 0;
    }
    if (!fill()) break;
  }
  if (end == std::string::npos) end = buffer_.size();
  if (end == begin_ && end == buffer_.size() && !too_long) return false;
  line.assign(buffer_, begin_, end - begin_);
  begin_ = std::min(end + 1, buffer_.size());
  ++line_number_;
  if (too_long)
    throw InputError("{}: line {} is longer than {} bytes", file_.path().string(), line_number_,
                     kMaxBytes);
  return true;
}

int64_t count_lines(const std::filesystem::path& path) {
  const File file = File::open(path);
  const uint64_t size = file.size();
  std::string buffer;
  int64_t lines = 0;
  for (uint64_t done = 0; done < size; done += buffer.size()) {
    buffer.resize(std::min<uint64_t>(size - done, 1 << 20));
    file.read_at(done, buffer.data(), buffer.size());
    lines += std::count(buffer.begin(), buffer.end(), '\n');
  }
  return lines + (!buffer.empty() && buffer.back() != '\n' ? 1 : 0);
}

int64_t count_filled_lines(const std::filesystem::path& path) {
  const File file = File::open(path);
  std::string buffer;
  int64_t lines = 0;
  bool is_filled = false;
  for (uint64_t done = text_begin(file); done < file.size(); done += buffer.size()) {
    buffer.resize(std::min<uint64_t>(file.size() - done, 1 << 20));
    file.read_at(done, buffer.data(), buffer.size());
    for (size_t begin = 0; begin < buffer.size();) {
      const size_t end = std::min(buffer.find('\n', begin), buffer.size());
      is_filled = is_filled || !is_blank(std::string_view(buffer).substr(begin, end - begin));
      if (end < buffer.size() && std::exchange(is_filled, false)) ++lines;
      begin = end + 1;
    }
  }
  return lines + (is_filled ? 1 : 0);
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

}  // namespace lynceus::io
