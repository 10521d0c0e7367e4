// Field numbers are those of sentencepiece_model.proto. The double array has the format of
// Darts-clone.
#include "io/text/sentencepiece_check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/error.h"

namespace lynceus::io {
namespace {

// Number of results that the library can store per search.
constexpr size_t kMaxNestedSymbols = 64;
constexpr int kMaxNestedCharacters = 32;

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;      // of an integer field
  float real = 0;          // of a field of four bytes
  std::string_view bytes;  // of a text or message field
};

/// Reads the fields of a protocol buffer message one by one.
class Message {
 public:
  Message(std::string_view bytes, const std::string& name)
      : rest_(bytes), size_(bytes.size()), name_(name) {}

  bool next(Field* field) {
    if (rest_.empty()) return false;
    const uint64_t tag = take_varint();
    *field = {};
    field->number = tag >> 3;
    switch (tag & 7) {
      case 0:
        field->value = take_varint();
        return true;
      case 1:
        take(8);
        return true;
      case 2:
        field->bytes = take(take_varint());
        return true;
      case 5:
        std::memcpy(&field->real, take(4).data(), 4);
        return true;
      default:
        refuse();
    }
  }

 private:
  [[noreturn]] void refuse() const {
    throw InputError(
        "{}: expected a SentencePiece model, found {} bytes that are not a protocol buffer", name_,
        size_);
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) refuse();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t take_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    refuse();
  }

  std::string_view rest_;
  size_t size_;
  const std::string& name_;
};

/// A character map: size of the double array in bytes (u32), its units, texts that end in NUL.
class CharacterMap {
 public:
  CharacterMap(std::string_view bytes, const std::string& name) : name_(name) {
    uint32_t array_bytes = 0;
    if (bytes.size() > sizeof(array_bytes))
      std::memcpy(&array_bytes, bytes.data(), sizeof(array_bytes));
    if (array_bytes == 0 || array_bytes % sizeof(uint32_t) != 0 ||
        array_bytes >= bytes.size() - sizeof(array_bytes) || bytes.back() != '\0')
      refuse("wrong size");
    units_.resize(array_bytes / sizeof(uint32_t));
    std::memcpy(units_.data(), bytes.data() + sizeof(array_bytes), array_bytes);
    text_bytes_ = bytes.size() - sizeof(array_bytes) - array_bytes;
  }

  /// Checks every unit that a text can reach; again if a path with more entries leads to it.
  void check() const {
    std::vector<std::pair<uint32_t, uint32_t>> children;  // sorted by the place of the parent
    for (uint32_t index = 0; index < units_.size(); ++index)
      if ((units_[index] & kLeafBit) == 0) children.emplace_back(index ^ label(index), index);
    std::sort(children.begin(), children.end());
    std::vector<int> most(units_.size(), -1);  // entries on the path to a unit; -1: not reached
    std::vector<Node> open{node(0, 0)};
    while (!open.empty()) {
      const Node parent = open.back();
      open.pop_back();
      auto child = std::lower_bound(children.begin(), children.end(), std::pair{parent.place, 0u});
      for (; child != children.end() && child->first == parent.place; ++child) {
        const uint32_t index = child->second;
        const Node found = node(index, parent.entries);
        if (found.entries <= most[index]) continue;
        most[index] = found.entries;
        open.push_back(found);
      }
    }
  }

 private:
  static constexpr uint32_t kLeafBit = 1u << 31;

  struct Node {
    uint32_t place = 0;  // index of a child = place XOR the byte
    int entries = 0;     // on the path from the root, this node included
  };

  [[noreturn]] void refuse(const char* what) const {
    throw InputError("{}: its character map is damaged: {}", name_, what);
  }
  uint32_t label(uint32_t index) const { return units_[index] & 0xFF; }

  Node node(uint32_t index, int entries) const {
    const uint32_t unit = units_[index];
    const uint32_t place = index ^ (unit >> 10) << ((unit & 1u << 9) >> 6);
    if ((place | 0xFF) >= units_.size()) refuse("a unit points outside the array");
    const bool has_entry = (unit & 1u << 8) != 0;
    if (has_entry && (units_[place] & ~kLeafBit) >= text_bytes_) refuse("an entry without a text");
    if (has_entry && index != 0) ++entries;
    if (entries > kMaxNestedCharacters) refuse("too many entries are prefixes of one another");
    return {place, entries};
  }

  const std::string& name_;
  std::vector<uint32_t> units_;
  size_t text_bytes_ = 0;
};

/// Checks a piece. Returns the text of a user-defined symbol; empty for other pieces.
std::string_view check_piece(std::string_view bytes, const std::string& name) {
  constexpr int32_t kUserDefined = 4;
  constexpr int32_t kLast = 6;
  Message message(bytes, name);
  std::string_view text;
  int32_t kind = 1;
  for (Field field; message.next(&field);) {
    if (field.number == 1) text = field.bytes;
    if (field.number == 2 && !std::isfinite(field.real))
      throw InputError("{}: expected a finite score for each piece, found {}", name, field.real);
    const auto value = static_cast<int32_t>(field.value);
    if (field.number == 3 && value >= 1 && value <= kLast) kind = value;
  }
  if (text.empty() || text.find('\0') != std::string_view::npos)
    throw InputError("{}: expected pieces with a text, found one without text or with a NUL", name);
  return kind == kUserDefined ? text : std::string_view();
}

void check_spec(std::string_view bytes, const std::string& name) {
  Message message(bytes, name);
  for (Field field; message.next(&field);)
    if (field.number == 2 && !field.bytes.empty()) CharacterMap(field.bytes, name).check();
}

void check_symbols(std::vector<std::string_view> symbols, const std::string& name) {
  std::sort(symbols.begin(), symbols.end());
  std::vector<std::string_view> beginnings;
  for (const std::string_view symbol : symbols) {
    while (!beginnings.empty() && !symbol.starts_with(beginnings.back())) beginnings.pop_back();
    beginnings.push_back(symbol);
    if (beginnings.size() > kMaxNestedSymbols)
      throw InputError("{}: more than {} symbols are prefixes of one another", name,
                       kMaxNestedSymbols);
  }
}

}  // namespace

void check_sentencepiece_model(std::string_view bytes, const std::string& name) {
  static_assert(std::endian::native == std::endian::little);
  Message message(bytes, name);
  std::vector<std::string_view> symbols;
  for (Field field; message.next(&field);) {
    if (field.number == 1) {
      const std::string_view symbol = check_piece(field.bytes, name);
      if (!symbol.empty()) symbols.push_back(symbol);
    }
    if (field.number == 3 || field.number == 5) check_spec(field.bytes, name);
  }
  check_symbols(std::move(symbols), name);
}

}  // namespace lynceus::io
