#include "core/text/text_encoding.h"

#include "core/error.h"

namespace lynceus {

size_t byte_order_mark(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

const char* wide_encoding(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  if (text.starts_with("\xFF\xFE"sv) || text.starts_with("\xFE\xFF"sv)) return "UTF-16";
  // Without a mark: the first characters are ASCII, so every second byte is zero.
  if (text.size() < 4) return nullptr;
  const auto is = [&](bool a, bool b, bool c, bool d) {
    return (text[0] != 0) == a && (text[1] != 0) == b && (text[2] != 0) == c && (text[3] != 0) == d;
  };
  if (is(true, false, false, false) || is(false, false, false, true)) return "UTF-32";
  if (is(true, false, true, false) || is(false, true, false, true)) return "UTF-16";
  return nullptr;
}

std::string_view utf8_text(std::string_view text, std::string_view origin) {
  if (const char* encoding = wide_encoding(text.substr(0, 4)))
    throw InputError("{}: expected UTF-8, found {}; iconv -f {} -t UTF-8 converts it", origin,
                     encoding, encoding);
  return text.substr(byte_order_mark(text));
}

}  // namespace lynceus
