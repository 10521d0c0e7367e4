// The turns of a conversation: speakers, alternation, and the placeholders of media in its texts.
#pragma once

#include <string>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"

namespace lynceus::prepare {

/// The turns of a list of {"from": SPEAKER, "value": TEXT} or {"role": SPEAKER, "content":
/// CONTENT}, texts unchanged. Speakers:
///   user       human, user; also what a tool answers: observation, tool, function, tool_response,
///              function_response
///   assistant  gpt, assistant, chatgpt, bing, bard, model; also its calls of tools: function_call,
///              tool_call
///   system     system, developer
/// CONTENT is a text or a list of parts: {"type": "text", "text": TEXT}, {"type": "image"} with or
/// without a path, {"type": "image_url", "image_url": {"url": PATH}}, and the same with "video". A
/// part that is a medium becomes a placeholder on a line of its own; its path is appended to
/// `images` or `videos` if it has one. An empty system turn is left out. RejectedRow for a part or
/// a member of a turn that has content and is not read, and for an answer that is not to be learned
/// ("weight": 0, "train": false, "loss": false).
std::vector<io::Turn> turns_of(const io::Json& conversation, std::vector<io::Json>* images,
                               std::vector<io::Json>* videos);

/// Trims the texts. RejectedRow if one is empty then.
void trim_turns(std::vector<io::Turn>& turns, const std::string& where);
/// Trims the texts and drops answers before the first question and a question after the last
/// answer; `dropped` is their number. RejectedRow if user and assistant then do not alternate, or
/// if no answer is left.
std::vector<io::Turn> alternating_turns(std::vector<io::Turn> turns, const std::string& where,
                                        size_t& dropped);

/// What the placeholders <image> and <video> in the texts of a sample stand for.
struct PlaceholderMedia {
  size_t images = 0;
  bool is_video = false;  ///< `images` are its frames
};

/// Removes <image> and <video> from the texts, since visual tokens always come before the text.
/// RejectedRow unless there is one for each image or none; of a video one or none, or one for each
/// frame. Also for <audio>, for a placeholder in an answer about media, and for plain text that
/// begins or ends with one, and for a placeholder in a last question, which has no answer.
void take_placeholders(std::vector<io::Turn>& turns, const PlaceholderMedia& media,
                       const std::string& where);

}  // namespace lynceus::prepare
