// Requests to a judge: chat completions of the OpenAI API, and files of them in the format of its
// batches, which `vllm run-batch` reads too.
//
//   {"custom_id": ID, "method": "POST", "url": "/v1/chat/completions", "body": {"model": NAME,
//    "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 16}}
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/files/json.h"

namespace lynceus::evaluate {

struct JudgeModel {
  std::string name;
  int64_t max_tokens = 16;  ///< of the reply; 0: not sent
};

struct JudgeRequest {
  std::string id;      ///< custom_id: digest of the question, so equal questions have one id
  std::string digest;  ///< of the body: the same content is asked once
  std::string body;    ///< JSON in its one canonical form
};

JudgeRequest make_request(const std::string& question, const JudgeModel& model);
/// The custom_id of a question.
std::string question_id(const std::string& question);

/// Writes a file of requests at once. IoError.
void write_requests(const std::filesystem::path& file, std::span<const JudgeRequest> requests);
/// Reads it. InputError listing the rows that are malformed; a request that occurs again is left
/// out.
std::vector<JudgeRequest> read_requests(const std::filesystem::path& file);

}  // namespace lynceus::evaluate
