// Texts, ids and conversations of a JSON row.
#pragma once

#include <string>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"

namespace lynceus::prepare {

/// Without spaces, tabs and line ends at both ends.
std::string trimmed(const std::string& text);
/// A text value, trimmed. RejectedRow if it is empty then.
std::string text_of(const io::Json& value);
/// The texts of a list, or a single text as a list of one. RejectedRow for an empty list.
std::vector<std::string> texts_of(const io::Json& value);
/// A string unchanged, an integer as decimal text.
std::string id_of(const io::Json& value);
/// The keys of an object, separated by commas, for messages.
std::string keys_of(const io::Json& row);

/// One copy of `sample` per answer, each with that answer as its last turn. If there are several,
/// "#1", "#2" ... is appended to the keys.
std::vector<io::Sample> one_sample_per_answer(const io::Sample& sample,
                                              const std::vector<std::string>& answers);

/// The turns of a list of {"from": SPEAKER, "value": TEXT}, texts unchanged. Speakers are human and
/// user; gpt, assistant, chatgpt, bing, bard and model; system.
std::vector<io::Turn> turns_of(const io::Json& conversation);
/// Trims the texts and drops answers before the first question and a question after the last
/// answer. RejectedRow if user and assistant then do not alternate, or if no answer is left.
std::vector<io::Turn> alternating_turns(std::vector<io::Turn> turns, const std::string& where);

}  // namespace lynceus::prepare
