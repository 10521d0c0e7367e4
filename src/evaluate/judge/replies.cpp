#include "evaluate/judge/replies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "evaluate/judge/question.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

/// The message of an error, in whatever form a server gives it.
std::string message_of(const io::Json& error) {
  if (error.is_string()) return error.string();
  if (error.is_object())
    if (const auto message = error.find("message"); message && message->is_string())
      return message->string();
  return error.dump();
}

bool has_content(const std::optional<io::Json>& value) { return value && !value->is_null(); }

}  // namespace

std::string content_of_completion(const io::Json& body) {
  for (const io::Json& choice : body.at("choices").elements())
    if (choice.at("index").integer() == 0) return choice.at("message").at("content").string();
  throw InputError("{}: expected a choice with index 0, found none", body.at("choices").where());
}

JudgeReply read_reply(const io::Json& row) {
  JudgeReply reply;
  reply.id = row.at("custom_id").string();
  reply.digest = text_or_none(row, "request");
  const auto error = row.find("error");
  const auto response = row.find("response");
  if (!has_content(response)) {
    if (!has_content(error))
      throw InputError("{}: expected a response or an error, found neither", row.where());
    reply.error = message_of(*error);
    return reply;
  }
  const int64_t status = response->at("status_code").integer();
  const io::Json body = response->at("body");
  if (status != 200) {
    const auto inner = body.is_object() ? body.find("error") : std::nullopt;
    reply.error = fmt::format("status {}: {}", status, message_of(inner ? *inner : body));
    return reply;
  }
  reply.model = text_or_none(body, "model");
  reply.text = content_of_completion(body);
  return reply;
}

JudgeReplies read_replies(const std::filesystem::path& file,
                          const std::function<bool(const JudgeReply&)>& wants) {
  io::expect_file(file, "results of a judge");
  JudgeReplies replies;
  std::set<std::string> models, contradicted;
  InputFaults faults;
  for (const io::Json& row : read_rows(file, &faults))
    faults.collect([&] {
      JudgeReply reply = read_reply(row);
      if (wants && !wants(reply)) return;
      if (!reply.model.empty()) models.insert(reply.model);
      const auto [found, is_new] = replies.by_id.emplace(reply.id, reply);
      if (is_new) return;
      JudgeReply& first = found->second;
      if (!first.text)
        first = std::move(reply);
      else if (reply.text && verdict_of_reply(*first.text) != verdict_of_reply(*reply.text))
        contradicted.insert(reply.id);
    });
  faults.raise();
  replies.contradictions = static_cast<int64_t>(contradicted.size());
  replies.models = fmt::format("{}", fmt::join(models, " + "));
  return replies;
}

}  // namespace lynceus::evaluate
