// Checks a model file before SentencePiece reads it. The library trusts the file: it uses numbers
// from it as indices into memory, and ends the program or throws on some tables.
#pragma once

#include <string>
#include <string_view>

namespace lynceus::io {

/// InputError, with `name`, for a model that the library might not survive:
///   - bytes that are not a protocol buffer;
///   - a piece without text, with a NUL or with a score that is not finite;
///   - more than 64 user-defined symbols that are prefixes of one another;
///   - a character map (of the normalizer or the denormalizer) that points outside its double array
///     or its texts, or has more than 32 entries that are prefixes of one another.
/// The library checks the rest.
void check_sentencepiece_model(std::string_view bytes, const std::string& name);

}  // namespace lynceus::io
