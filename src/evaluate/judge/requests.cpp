#include "evaluate/judge/requests.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "io/files/digest.h"
#include "io/files/file.h"
#include "io/files/json_value.h"

namespace lynceus::evaluate {
namespace {

constexpr const char* kPath = "/v1/chat/completions";

std::string digest_of(const std::string& text) {
  return io::digest128(text.data(), text.size()).hex();
}

JudgeRequest read_request(const io::Json& row) {
  const io::Json body = row.at("body");
  if (const std::string url = row.at("url").string(); url != kPath)
    throw InputError("{}: expected '{}', found '{}'", row.at("url").where(), kPath, url);
  body.at("model").string();
  const std::string text = body.dump();
  return {row.at("custom_id").string(), digest_of(text), text};
}

}  // namespace

std::string question_id(const std::string& question) { return "judge-" + digest_of(question); }

JudgeRequest make_request(const std::string& question, const JudgeModel& model) {
  using io::JsonValue;
  JsonValue body = JsonValue::object(
      {{"model", model.name},
       {"messages",
        JsonValue::array({JsonValue::object({{"role", "user"}, {"content", question}})})},
       {"temperature", 0}});
  if (model.max_tokens > 0) body.set("max_tokens", model.max_tokens);
  // As a reader of the file sees it, so that both have one digest.
  const std::string text = io::Json::parse(body.dump_replacing(), "request").dump();
  return {question_id(question), digest_of(text), text};
}

void write_requests(const std::filesystem::path& file, std::span<const JudgeRequest> requests) {
  std::string text;
  for (const JudgeRequest& request : requests)
    text += fmt::format(R"({{"custom_id": {}, "method": "POST", "url": "{}", "body": {}}})"
                        "\n",
                        io::json_quoted(request.id), kPath, request.body);
  io::atomic_write_text(file, text);
}

std::vector<JudgeRequest> read_requests(const std::filesystem::path& file) {
  io::expect_file(file, "requests to a judge");
  std::vector<JudgeRequest> requests;
  std::set<std::string> digests;
  InputFaults faults;
  for (const io::Json& row : read_rows(file, &faults))
    faults.collect([&] {
      JudgeRequest request = read_request(row);
      if (digests.insert(request.digest).second) requests.push_back(std::move(request));
    });
  faults.raise();
  return requests;
}

}  // namespace lynceus::evaluate
