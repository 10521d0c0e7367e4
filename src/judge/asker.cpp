#include "judge/asker.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "core/progress.h"
#include "core/random.h"
#include "evaluate/judge/replies.h"
#include "judge/request_pace.h"
#include "judge/transfers.h"

namespace lynceus::judge {
namespace {

constexpr double kLongestPoll = 0.2;  // seconds, until a request to stop is seen
constexpr size_t kShownBytes = 300;   // of a reply in a message

/// What follows from a reply.
enum class Outcome { kAnswered, kAgain, kRefused, kFatal };

struct Judged {
  Outcome outcome = Outcome::kAgain;
  std::optional<io::Json> body;
  std::string what;  ///< a failure in words
};

std::optional<io::Json> parse(const std::string& body) {
  try {
    return io::Json::parse(body, "reply");
  } catch (const InputError&) {
    return std::nullopt;
  }
}

std::string shown(const std::string& text) {
  return text.size() <= kShownBytes ? text : text.substr(0, kShownBytes) + "...";
}

/// A complete reply with another status than 200.
Judged judge_status(const HttpReply& reply) {
  Judged judged;
  judged.body = parse(reply.body);
  judged.what = fmt::format("status {}: {}", reply.status, shown(reply.body));
  const long status = reply.status;
  if (status == 408 || status == 409 || status == 425 || status == 429 || status >= 500)
    judged.outcome = Outcome::kAgain;
  else if (status < 400 || status == 401 || status == 403 || status == 404 || status == 405)
    judged.outcome = Outcome::kFatal;
  else
    judged.outcome = Outcome::kRefused;
  return judged;
}

Judged judge_reply(const HttpReply& reply) {
  Judged judged;
  if (!reply.failure.empty()) {
    judged.what = reply.failure;
    return judged;
  }
  if (reply.status != 200) return judge_status(reply);
  judged.body = parse(reply.body);
  if (!judged.body) {
    judged.what = "expected JSON, found: " + shown(reply.body);
    return judged;
  }
  try {
    evaluate::content_of_completion(*judged.body);
    judged.outcome = Outcome::kAnswered;
  } catch (const InputError& error) {
    judged.what = fmt::format("{}; found: {}", error.what(), shown(reply.body));
  }
  return judged;
}

class Asking {
 public:
  Asking(std::span<const evaluate::JudgeRequest> requests, const AskOptions& options,
         const ApiKey& key, ReplyJournal* journal)
      : requests_(requests),
        options_(options),
        key_(key),
        journal_(*journal),
        transfers_(options.url, key, options.timeout_seconds),
        pace_(options.requests_per_minute),
        failures_(requests.size(), 0),
        begun_after_(requests.size(), 0) {
    summary_.questions = static_cast<int64_t>(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      if (journal_.has(requests[i]))
        ++summary_.known;
      else
        due_.emplace(0.0, i);
    }
  }

  AskSummary run() {
    if (due_.empty()) return summary_;
    Progress progress("judge", summary_.questions, "questions", {.done_before = summary_.known});
    while (true) {
      if (stop_is_requested()) summary_.is_stopped = true;
      start_due();
      if (transfers_.running() == 0 && (due_.empty() || ends())) break;
      for (const HttpReply& reply : transfers_.wait(poll_seconds()))
        if (take(reply)) progress.advance();
      journal_.sync();
    }
    progress.finish();
    summary_.is_stopped = summary_.is_stopped && summary_.missing() > 0;
    return summary_;
  }

 private:
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  bool ends() const { return summary_.is_stopped || !summary_.fatal.empty(); }

  void start_due() {
    while (!ends() && !due_.empty() && due_.begin()->first <= now() && pace_.wait(now()) == 0 &&
           static_cast<int64_t>(transfers_.running()) < options_.parallel) {
      const size_t i = due_.begin()->second;
      due_.erase(due_.begin());
      if (failures_[i] == 0) begun_after_[i] = summary_.answered;
      transfers_.start(i, requests_[i].body);
      pace_.sent(now());
      ++summary_.requests;
    }
  }

  double poll_seconds() const {
    double seconds = kLongestPoll;
    const bool may_start =
        !ends() && !due_.empty() && static_cast<int64_t>(transfers_.running()) < options_.parallel;
    if (may_start)
      seconds = std::min(seconds, std::max(due_.begin()->first - now(), pace_.wait(now())));
    return std::max(seconds, 0.001);
  }

  /// Whether the question is done.
  bool take(const HttpReply& reply) {
    const Judged judged = judge_reply(reply);
    if (!judged.what.empty()) summary_.last_failure = key_.cut_out_of(judged.what);
    switch (judged.outcome) {
      case Outcome::kAnswered:
        journal_.add(requests_[reply.tag], options_.url, 200, *judged.body, key_);
        ++summary_.answered;
        return true;
      case Outcome::kRefused:
        if (judged.body)
          journal_.add(requests_[reply.tag], options_.url, reply.status, *judged.body, key_);
        ++summary_.refused;
        return true;
      case Outcome::kFatal:
        if (summary_.fatal.empty()) summary_.fatal = summary_.last_failure;
        summary_.is_refused = true;
        return false;
      case Outcome::kAgain:
        ask_again(reply);
        return false;
    }
    return false;
  }

  void ask_again(const HttpReply& reply) {
    const size_t i = reply.tag;
    const int64_t failures = ++failures_[i];
    const double random = CounterRandom(i, "judge").uniform(static_cast<uint64_t>(failures));
    const double wait =
        retry_wait(failures, options_.first_wait_seconds, random, reply.retry_after);
    // Too many requests: all of them wait, not only this one.
    if (reply.status == 429) pace_.hold_until(now() + wait);
    if (failures <= options_.retries)
      due_.emplace(now() + wait, i);
    else if (begun_after_[i] == summary_.answered && summary_.fatal.empty())
      summary_.fatal = fmt::format("no question was answered during {} attempts of one: {}",
                                   failures, summary_.last_failure);
  }

  std::span<const evaluate::JudgeRequest> requests_;
  const AskOptions& options_;
  const ApiKey& key_;
  ReplyJournal& journal_;
  Transfers transfers_;
  RequestPace pace_;
  std::multimap<double, size_t> due_;  // questions to ask, by the time from which
  std::vector<int64_t> failures_;      // of each question
  std::vector<int64_t> begun_after_;   // how many were answered when it was asked first
  AskSummary summary_;
};

}  // namespace

AskSummary ask(std::span<const evaluate::JudgeRequest> requests, const AskOptions& options,
               const ApiKey& key, ReplyJournal* journal) {
  return Asking(requests, options, key, journal).run();
}

}  // namespace lynceus::judge
