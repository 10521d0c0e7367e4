// The encoding of text files: UTF-8 with or without a byte order mark. Every reader of text files
// that people write or download uses this.
#pragma once

#include <string>
#include <string_view>

namespace lynceus {

/// Number of bytes at the start of a text that are a UTF-8 byte order mark: 3 or 0.
size_t byte_order_mark(std::string_view text);

/// "UTF-16" or "UTF-32" if the first bytes of a text are of that encoding, with or without a byte
/// order mark; otherwise nullptr. The first four bytes are enough.
const char* wide_encoding(std::string_view text);

/// Whether all bytes are UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

/// The text with each byte that is not part of UTF-8 as \xHH, for messages and for comparison.
/// Names of files may have such bytes.
std::string printable(std::string_view text);

/// The text as a cell of a table with tabs between its cells: \\ for a backslash, \t \n \r for tab,
/// newline and carriage return, \xHH for other control characters and bytes that are not part of
/// UTF-8. No two texts have the same cell.
std::string table_cell(std::string_view text);

/// The text without a byte order mark. InputError that begins with `origin` for UTF-16 and UTF-32.
std::string_view utf8_text(std::string_view text, std::string_view origin);

/// The place of the first byte that is not part of a character in UTF-8; npos: all are.
size_t invalid_utf8(std::string_view text);

}  // namespace lynceus
