// Asks a server until every question has its reply in the journal.
//
// A reply of status 200 with a chat completion counts. After 408, 409, 425, 429, a status of 500 or
// more, a failed transfer or a malformed reply the question is asked again, later. 401, 403, 404
// and redirects are faults of the whole call: it ends. Any other status is a fault of that
// question, which is recorded and not asked again in this call.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "evaluate/judge/requests.h"
#include "judge/reply_journal.h"

namespace lynceus::judge {

struct AskOptions {
  std::string url;  ///< of chat completions
  int64_t parallel = 8;
  int64_t requests_per_minute = 0;  ///< 0: no limit
  int64_t retries = 8;
  double timeout_seconds = 60;
  double first_wait_seconds = 1;  ///< before the first retry
};

struct AskSummary {
  int64_t questions = 0;
  int64_t known = 0;        ///< had a reply before
  int64_t answered = 0;     ///< now
  int64_t refused = 0;      ///< the server refuses these questions
  int64_t requests = 0;     ///< sent, repetitions included
  bool is_stopped = false;  ///< on request
  std::string last_failure;
  std::string fatal;        ///< why the call ended early
  bool is_refused = false;  ///< it ended because the server refuses this call as a whole

  int64_t missing() const { return questions - known - answered - refused; }
};

/// Ends early if stop_is_requested(): what is in flight is awaited. IoError if the journal cannot
/// be written.
AskSummary ask(std::span<const evaluate::JudgeRequest> requests, const AskOptions& options,
               const ApiKey& key, ReplyJournal* journal);

}  // namespace lynceus::judge
