// Rows of files of answers, with their faults: each row is used, or the file is refused with a list
// of what is wrong in it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/json.h"

namespace lynceus::evaluate {

/// The faults of an input, reported in one message.
class InputFaults {
 public:
  void add(std::string fault);
  /// Runs `step`; its InputError is added. Returns whether there was none.
  bool collect(const std::function<void()>& step);
  /// InputError with the first 20 faults and the number of the others; returns if there is none.
  void raise() const;
  bool any() const { return count_ > 0; }

 private:
  std::vector<std::string> first_;
  size_t count_ = 0;
};

/// Ids that may occur once.
class UniqueIds {
 public:
  /// Adds a fault if `id` occurred before, with both places.
  void add(const std::string& id, const std::string& where, InputFaults* faults);

 private:
  std::map<std::string, std::string> places_;
};

/// The objects of a JSONL file, in order. Malformed lines and other values are faults, and so is a
/// file without rows.
std::vector<io::Json> read_rows(const std::filesystem::path& file, InputFaults* faults);

/// A string; InputError if it has no character other than white space.
std::string text_of(const io::Json& value);
/// A list of at least one string.
std::vector<std::string> texts_of(const io::Json& value);
/// A string, or an integer as text.
std::string id_of(const io::Json& value);
/// A string under `key`; empty if it is missing or null.
std::string text_or_none(const io::Json& row, std::string_view key);

}  // namespace lynceus::evaluate
