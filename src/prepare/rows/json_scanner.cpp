#include "prepare/rows/json_scanner.h"

#include <cstring>

namespace lynceus::prepare {
namespace {

constexpr size_t kMaxDepth = 1 << 20;  // bounds the memory

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// `end` if it is not there.
const char* find(const char* begin, const char* end, char c) {
  const void* found = std::memchr(begin, c, static_cast<size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace

const char* JsonScanner::scan_text(const char* at, const char* end) {
  const char* quote = at;
  while (at != end) {
    if (is_escaped_) {
      is_escaped_ = false;
      ++at;
      continue;
    }
    if (quote <= at) quote = find(at, end, '"');
    const char* const escape = find(at, quote, '\\');
    at = escape;
    if (escape != quote) {
      is_escaped_ = true;
      ++at;
    } else if (at != end) {
      if (mode_ == Mode::kAsks) {
        state_ = State::kAtQuote;
        return at;
      }
      pass_quote(true);
      return at + 1;
    }
  }
  return at;
}

void JsonScanner::pass_quote(bool ends_text) {
  if (mode_ == Mode::kAsks) ++scanned_;
  state_ = State::kInside;
  if (!ends_text) return;
  in_text_ = false;
  if (open_.empty() && !in_word_) state_ = State::kDone;
  last_ = '"';
}

bool JsonScanner::may_begin_value() const {
  if (mode_ == Mode::kCountsOnly || last_ == '\0' || last_ == ':') return true;
  return !is_in_object() && (last_ == '[' || last_ == ',');
}

bool JsonScanner::open(char c) {
  if (!may_begin_value()) return false;
  if (open_.size() == kMaxDepth && mode_ != Mode::kCountsOnly) return false;
  open_ += c;
  last_ = c;
  return true;
}

bool JsonScanner::close(char c) {
  if (open_.empty()) {
    state_ = State::kDone;
    return false;
  }
  if (mode_ != Mode::kCountsOnly && open_.back() != (c == '}' ? '{' : '[')) return false;
  open_.pop_back();
  if (open_.empty() && !in_word_) state_ = State::kDone;
  last_ = c;
  return true;
}

bool JsonScanner::take(char c) {
  switch (c) {
    case '{':
    case '[':
      return open(c);
    case '}':
    case ']':
      return close(c);
    case ',':
      if (open_.empty()) {
        state_ = State::kDone;
        return false;
      }
      last_ = c;
      return true;
    case ':':
      last_ = c;
      return mode_ == Mode::kCountsOnly || is_in_object();
    default:
      if (mode_ != Mode::kCountsOnly && (last_ == '"' || last_ == '}' || last_ == ']'))
        return false;
      last_ = 'w';
      in_word_ |= open_.empty();
      return true;
  }
}

const char* JsonScanner::scan(const char* at, const char* end) {
  const char* const begin = at;
  while (at != end && state_ == State::kInside) {
    if (in_text_) {
      at = scan_text(at, end);
    } else if (*at == '"') {
      if (!may_begin_value() && last_ != '{' && !(last_ == ',' && is_in_object())) {
        state_ = State::kFaulty;
        break;
      }
      in_text_ = true;
      text_begin_ = scanned_ + static_cast<uint64_t>(at - begin);
      ++at;
    } else if (is_space(*at) || take(*at)) {
      ++at;
    } else if (state_ == State::kInside) {
      state_ = State::kFaulty;
    } else {
      break;
    }
  }
  scanned_ += static_cast<uint64_t>(at - begin);
  return at;
}

}  // namespace lynceus::prepare
