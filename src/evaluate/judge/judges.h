// Judges that ask a language model the paper's question (question.h): over HTTP, or by files of
// requests and results where there is no network. An answer is right if one of its references is
// implied. Equal questions are asked once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/judge/requests.h"
#include "evaluate/verdict.h"

namespace lynceus::evaluate {

/// The questions about each item: one for each reference.
std::vector<std::vector<std::string>> questions_about(std::span<const JudgedItem> items);

/// How `lynceus-judge` asks a server.
struct HttpJudge {
  std::string url;                  ///< http://HOST/v1
  std::string key_file;             ///< empty: the variable
  std::string key_variable;         ///< name of the environment variable with the key
  int64_t requests_per_minute = 0;  ///< 0: no limit
  int64_t parallel = 8;             ///< requests
  int64_t retries = 8;              ///< of one question
  double timeout_seconds = 60;      ///< of one request
  std::filesystem::path journal;    ///< file of the replies, kept for later calls
};

/// Starts `lynceus-judge`, which asks what the journal has no reply for. Errors end with its exit
/// code; what was answered until then is in the journal. UsageError if the program is not there.
Judge http_judge(const HttpJudge& how, const JudgeModel& model);

/// Writes the requests to `file` and gives no verdicts.
Judge batch_judge(const std::filesystem::path& file, const JudgeModel& model);

/// Reads the replies from a file of results. Questions without a reply have no verdict; a warning
/// counts them, the replies to other questions, and errors. InputError if no reply is to one of the
/// questions.
Judge results_judge(const std::filesystem::path& file);

}  // namespace lynceus::evaluate
