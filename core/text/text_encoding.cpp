#include "core/text/text_encoding.h"

#include <algorithm>

#include "core/error.h"

namespace lynceus {
namespace {

/// Bytes of the first character; 0 if it is not UTF-8.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xC2   ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool is_overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool is_surrogate = first == 0xED && byte(1) >= 0xA0;
  const bool is_too_large = first == 0xF4 && byte(1) >= 0x90;
  return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

}  // namespace

size_t byte_order_mark(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

const char* wide_encoding(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  if (text.starts_with("\xFF\xFE"sv) || text.starts_with("\xFE\xFF"sv)) return "UTF-16";
  // Without a mark: the first characters are ASCII, so every second byte is zero. One letter and
  // only zeros after it is the name in a tar archive.
  if (text.size() < 4) return nullptr;
  const bool has_two = text.size() >= 8;
  const auto is = [&](bool a, bool b, bool c, bool d) {
    const auto begins = [&](std::string_view part) {
      return (part[0] != 0) == a && (part[1] != 0) == b && (part[2] != 0) == c &&
             (part[3] != 0) == d;
    };
    return begins(text) && (!has_two || begins(text.substr(4)));
  };
  if (is(true, false, false, false) || is(false, false, false, true)) return "UTF-32";
  if (is(true, false, true, false) || is(false, true, false, true)) return "UTF-16";
  return nullptr;
}

std::string_view utf8_text(std::string_view text, std::string_view origin) {
  if (const char* encoding = wide_encoding(text.substr(0, 8)))
    throw InputError("{}: expected UTF-8, found {}; iconv -f {} -t UTF-8 converts it", origin,
                     encoding, encoding);
  return text.substr(byte_order_mark(text));
}

size_t invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

bool is_utf8(std::string_view text) { return invalid_utf8(text) == std::string_view::npos; }

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const size_t length = character_length(text);
    if (length == 0)
      shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[0]));
    else
      shown += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return shown;
}

std::string table_cell(std::string_view text) {
  std::string cell;
  cell.reserve(text.size());
  while (!text.empty()) {
    const size_t length = character_length(text);
    const char c = text[0];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\')
      cell += "\\\\";
    else if (c == '\t' || c == '\n' || c == '\r')
      cell += c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r";
    else if (length == 0 || byte < 0x20 || byte == 0x7F)
      cell += fmt::format("\\x{:02X}", byte);
    else
      cell += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return cell;
}

}  // namespace lynceus
