// Texts, ids and paths of a JSON row.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"

namespace lynceus::prepare {

/// Without spaces, tabs and line ends at both ends.
std::string trimmed(const std::string& text);
/// A text value, trimmed. RejectedRow if it is empty then.
std::string text_of(const io::Json& value);
/// The text of a file: checked to be UTF-8, without a byte order mark, trimmed. RejectedRow if it
/// is empty then; InputError if it is not UTF-8.
std::string text_of_bytes(std::string_view bytes, const std::string& where);
/// Whether it has nothing but spaces and a byte order mark.
bool is_blank_text(std::string_view bytes);
/// The lines of such a text, each trimmed, without blank ones.
std::vector<std::string> lines_of_text(std::string_view bytes, const std::string& where);
/// The texts of a list, or a single text as a list of one. Elements without content are counted in
/// `left_out` under that kind. RejectedRow if there is no other.
std::vector<std::string> texts_of(const io::Json& value, const char* kind,
                                  std::map<std::string, int64_t>& left_out);
/// The name that an id stands for: a string unchanged, a number as exact decimal text of any length
/// (1.0 as 1), another value as JSON. Empty if there is no id or if it is null.
std::string id_of(const std::optional<io::Json>& id);
/// The key of a sample: that of the row, or "row N" with N = index + 1 if it has none.
std::string key_of(const io::Json& row, int64_t index);
/// A path, or the member "path" or "url" of an object. RejectedRow if it is empty.
std::string path_of(const io::Json& value);
/// The keys of an object, separated by commas, for messages.
std::string keys_of(const io::Json& row);

/// Kinds of texts that are left out: empty ones in a list, and where only the first is wanted.
constexpr const char* kEmptyCaptions = "captions without text";
constexpr const char* kFurtherAnswers = "answers after the first";
constexpr const char* kFurtherCaptions = "captions after the first";

/// Keeps the first text. What it leaves out, under that kind.
std::map<std::string, int64_t> keep_first(std::vector<std::string>& texts, const char* kind);

/// The first text with content of a list, or a single text. The others with content are counted in
/// `left_out` under that kind. RejectedRow if there is none.
std::vector<std::string> first_text_of(const io::Json& value, const char* kind,
                                       std::map<std::string, int64_t>& left_out);

/// One copy of `sample` per answer, each with that answer as its last turn. If there are several,
/// "#1", "#2" ... is appended to the keys.
std::vector<io::Sample> one_sample_per_answer(const io::Sample& sample,
                                              const std::vector<std::string>& answers);

}  // namespace lynceus::prepare
