#include "evaluate/judge/judges.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/text/units.h"
#include "evaluate/judge/judge_program.h"
#include "evaluate/judge/question.h"
#include "evaluate/judge/replies.h"

namespace lynceus::evaluate {
namespace {

constexpr const char* kRule =
    "asks: Given the question \"QUESTION\", does the answer \"PREDICTION\" imply the answer "
    "\"GROUND_TRUTH\"? Answer with Yes or No. Right if the reply begins with Yes.";

using Questions = std::vector<std::vector<std::string>>;

std::vector<JudgeRequest> requests_of(const Questions& questions, const JudgeModel& model) {
  std::vector<JudgeRequest> requests;
  std::set<std::string> ids;
  for (const auto& of_item : questions)
    for (const std::string& question : of_item) {
      JudgeRequest request = make_request(question, model);
      if (ids.insert(request.id).second) requests.push_back(std::move(request));
    }
  return requests;
}

/// How many questions have which kind of reply.
struct ReplyCounts {
  int64_t missing = 0, errors = 0, unreadable = 0;
  std::string first_error, first_unreadable;
  std::set<std::string> seen;  // ids

  /// The verdict of a question; nullopt: none.
  Judgement verdict_on(const std::string& question, const JudgeReplies& replies) {
    const std::string id = question_id(question);
    const bool is_new = seen.insert(id).second;
    const auto found = replies.by_id.find(id);
    if (found == replies.by_id.end()) {
      missing += is_new;
      return std::nullopt;
    }
    const JudgeReply& reply = found->second;
    if (!reply.text) {
      errors += is_new;
      if (first_error.empty()) first_error = reply.error;
      return std::nullopt;
    }
    const Judgement verdict = verdict_of_reply(*reply.text);
    if (!verdict) {
      unreadable += is_new;
      if (first_unreadable.empty()) first_unreadable = *reply.text;
    }
    return verdict;
  }
};

/// Right if one question is answered with yes, wrong if all are answered with no.
Judgement verdict_on_item(const std::vector<std::string>& questions, const JudgeReplies& replies,
                          ReplyCounts* counts) {
  bool all = true, any = false;
  for (const std::string& question : questions) {
    const Judgement verdict = counts->verdict_on(question, replies);
    all = all && verdict;
    any = any || verdict.value_or(false);
  }
  if (any) return true;
  return all ? Judgement(false) : std::nullopt;
}

std::vector<Judgement> verdicts_on(const Questions& questions, const JudgeReplies& replies,
                                   const std::string& where) {
  std::vector<Judgement> verdicts;
  ReplyCounts counts;
  for (const auto& of_item : questions)
    verdicts.push_back(verdict_on_item(of_item, replies, &counts));
  if (counts.missing > 0)
    log::warn("{}: no reply to {}", where, counted(counts.missing, "question"));
  if (counts.errors > 0)
    log::warn("{}: an error instead of a reply to {}, first: {}", where,
              counted(counts.errors, "question"), counts.first_error);
  if (counts.unreadable > 0)
    log::warn(
        "{}: expected Yes or No as the first word, found another in the replies to {}, first: {}",
        where, counted(counts.unreadable, "question"), counts.first_unreadable);
  if (replies.contradictions > 0)
    log::warn("{}: different verdicts on {}; the first one counts", where,
              counted(replies.contradictions, "question"));
  return verdicts;
}

}  // namespace

Questions questions_about(std::span<const JudgedItem> items) {
  Questions questions;
  for (const JudgedItem& item : items) {
    questions.emplace_back();
    for (const std::string& reference : item.references)
      questions.back().push_back(judge_question(item.question, item.answer, reference));
  }
  return questions;
}

Judge http_judge(const HttpJudge& how, const JudgeModel& model) {
  const auto decide = [how, model](std::span<const JudgedItem> items) {
    const Questions questions = questions_about(items);
    const std::vector<JudgeRequest> requests = requests_of(questions, model);
    run_judge_program(how, requests);
    return verdicts_on(questions, replies_to(requests, how.journal), how.journal.string());
  };
  return {model.name, kRule, kJudgeSource, decide};
}

Judge batch_judge(const std::filesystem::path& file, const JudgeModel& model) {
  const auto decide = [file, model](std::span<const JudgedItem> items) {
    const std::vector<JudgeRequest> requests = requests_of(questions_about(items), model);
    write_requests(file, requests);
    return std::vector<Judgement>(items.size());
  };
  return {model.name, kRule, kJudgeSource, decide};
}

Judge results_judge(const std::filesystem::path& file) {
  const JudgeReplies replies = read_replies(file);
  const auto decide = [file, replies](std::span<const JudgedItem> items) {
    const Questions questions = questions_about(items);
    std::set<std::string> ids;
    for (const auto& of_item : questions)
      for (const std::string& question : of_item) ids.insert(question_id(question));
    const auto others =
        std::count_if(replies.by_id.begin(), replies.by_id.end(),
                      [&](const auto& reply) { return !ids.contains(reply.first); });
    if (others == static_cast<int64_t>(replies.by_id.size()))
      throw InputError(
          "{}: expected replies to the questions about these answers, found {} to others",
          file.string(), others);
    if (others > 0)
      log::warn("{}: {} about other answers left out", file.string(), counted(others, "result"));
    return verdicts_on(questions, replies, file.string());
  };
  return {replies.models, kRule, kJudgeSource, decide};
}

}  // namespace lynceus::evaluate
