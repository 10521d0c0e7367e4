// Finds where a JSON value ends, by its brackets and quotes, and sees at once where they do not
// match. Everything else is left to the parser of the value.
#pragma once

#include <cstdint>
#include <string>

namespace lynceus::prepare {

class JsonScanner {
 public:
  enum class Mode {
    kChecks,     ///< stops at a fault
    kAsks,       ///< the same, and stops at each quote in a text: the caller says if it ends there
    kCountsOnly  ///< counts brackets and sees no fault
  };
  explicit JsonScanner(Mode mode = Mode::kChecks) : mode_(mode) {}

  /// Moves over the bytes of a value. Returns the first byte after it, the byte at which it stops,
  /// or `end`. A number or word ends before the next comma or bracket.
  const char* scan(const char* at, const char* end);

  bool is_done() const { return state_ == State::kDone; }
  /// A bracket of the wrong kind, a word or value after a value, a member without a key.
  bool is_faulty() const { return state_ == State::kFaulty; }
  /// A number or word, which may end with the file.
  bool is_word() const { return in_word_ && open_.empty() && !in_text_ && !is_faulty(); }
  bool is_at_quote() const { return state_ == State::kAtQuote; }
  /// The answer at a quote, which the caller then skips. Not the end: it is a character.
  void pass_quote(bool ends_text);
  /// Bytes before the last text that began, counted from the begin of the value.
  uint64_t text_begin() const { return text_begin_; }
  bool is_in_object() const { return !open_.empty() && open_.back() == '{'; }

 private:
  enum class State { kInside, kDone, kFaulty, kAtQuote };

  const char* scan_text(const char* at, const char* end);
  /// A character outside of texts. False if it is a fault or comes after the value.
  bool take(char c);
  bool open(char c);
  bool close(char c);
  bool may_begin_value() const;

  Mode mode_;
  State state_ = State::kInside;
  bool in_text_ = false;
  bool is_escaped_ = false;  // the next byte belongs to an escape
  bool in_word_ = false;     // a number, true, NaN, outside of brackets
  char last_ = '\0';         // character outside of texts, or the quote after one; w: of a word
  std::string open_;         // brackets
  uint64_t scanned_ = 0;
  uint64_t text_begin_ = 0;
};

}  // namespace lynceus::prepare
