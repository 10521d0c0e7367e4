#include "evaluate/answer_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <utility>

#include "core/error.h"
#include "evaluate/words.h"
#include "io/files/decimal.h"

namespace lynceus::evaluate {
namespace {

constexpr size_t kMostListed = 20;

}  // namespace

void InputFaults::add(std::string fault) {
  if (count_++ < kMostListed) first_.push_back(std::move(fault));
}

bool InputFaults::collect(const std::function<void()>& step) {
  try {
    step();
    return true;
  } catch (const InputError& error) {
    add(error.what());
    return false;
  }
}

void InputFaults::raise() const {
  if (count_ == 0) return;
  const std::string more =
      count_ > kMostListed ? fmt::format("\n... and {} more faults", count_ - kMostListed) : "";
  throw InputError("{}{}", fmt::join(first_, "\n"), more);
}

void UniqueIds::add(const std::string& id, const std::string& where, InputFaults* faults) {
  const auto [place, is_new] = places_.emplace(id, where);
  if (!is_new)
    faults->add(fmt::format("{}: expected each id once, found '{}' again, first at {}", where, id,
                            place->second));
}

std::vector<io::Json> read_rows(const std::filesystem::path& file, InputFaults* faults) {
  std::vector<io::Json> rows;
  io::JsonLines lines(file);
  bool is_empty = true;
  for (bool is_end = false; !is_end;)
    faults->collect([&] {
      const std::optional<io::Json> row = lines.next();
      is_end = !row;
      if (is_end) return;
      is_empty = false;
      row->keys();  // InputError unless it is an object
      rows.push_back(*row);
    });
  if (is_empty && !faults->any())
    faults->add(fmt::format("{}: expected rows of JSON, found none", file.string()));
  return rows;
}

std::string text_of(const io::Json& value) {
  std::string text = value.string();
  if (stripped(text).empty()) throw InputError("{}: expected a text, found none", value.where());
  return text;
}

std::vector<std::string> texts_of(const io::Json& value) {
  std::vector<std::string> texts;
  for (const io::Json& element : value.elements()) texts.push_back(element.string());
  if (texts.empty()) throw InputError("{}: expected at least one text, found none", value.where());
  return texts;
}

std::string id_of(const io::Json& value) {
  return value.is_number() ? io::decimal_of(value) : text_of(value);
}

std::string text_or_none(const io::Json& row, std::string_view key) {
  const auto found = row.find(key);
  return !found || found->is_null() ? "" : found->string();
}

}  // namespace lynceus::evaluate
