// What SentencePiece takes on trust in a model file, looked at before the library gets it: it
// indexes its own memory by numbers of the file and ends the program, or throws, on some tables.
// Used by the tokenizer.
#pragma once

#include <string>
#include <string_view>

namespace lynceus::io {

/// InputError, with `name`, for a model that the library might not survive:
///   - bytes that are no protocol buffer;
///   - a piece without text or with a NUL in it, or whose score is no number;
///   - more than 64 symbols defined by the user of which each begins with the one before;
///   - a map of characters (of the normalizer or the denormalizer) whose double array leads outside
///     itself or its texts, or has more than 32 entries of which each begins with the
///     one before.
/// Whether it is a model at all is left to the library.
void check_sentencepiece_model(std::string_view bytes, const std::string& name);

}  // namespace lynceus::io
