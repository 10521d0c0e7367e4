// Replies of a judge: files in the format of the results of OpenAI's batches. `lynceus-judge`
// writes the same with two more members, request (digest of the body) and server.
//
//   {"custom_id": ID, "response": {"status_code": 200, "body": {"model": NAME, "choices":
//    [{"index": 0, "message": {"content": TEXT}}]}}, "error": null}
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/files/json.h"

namespace lynceus::evaluate {

/// One line of results.
struct JudgeReply {
  std::string id;                   ///< custom_id
  std::string digest;               ///< of the request's body; empty in files of other programs
  std::string model;                ///< that answered
  std::optional<std::string> text;  ///< absent: an error
  std::string error;
};

/// The content of the choice with index 0. InputError unless the body is that of a chat completion.
std::string content_of_completion(const io::Json& body);

/// InputError unless the row is a result: custom_id, and a response or an error.
JudgeReply read_reply(const io::Json& row);

/// The replies of a file of results, by custom_id.
struct JudgeReplies {
  std::map<std::string, JudgeReply> by_id;  ///< of several, the first one with a text
  int64_t contradictions = 0;               ///< ids whose replies give different verdicts
  std::string models;                       ///< that answered: "gpt-4-0613", "a + b"
};

/// Those that `wants` accepts. InputError listing the rows that are malformed; a last line that is
/// cut off is one.
JudgeReplies read_replies(const std::filesystem::path& file,
                          const std::function<bool(const JudgeReply&)>& wants = {});

}  // namespace lynceus::evaluate
