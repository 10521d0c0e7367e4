// lynceus-judge: asks a language model over HTTP the questions of a file, and adds the replies to a
// journal. `lynceus evaluate openvqa --judge http URL` starts it. A program of its own, so that
// libcurl is linked here only and a key is in no other process.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "core/config/config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/process/stop_request.h"
#include "core/text/units.h"
#include "core/version.h"
#include "evaluate/judge/requests.h"
#include "judge/api_key.h"
#include "judge/asker.h"
#include "judge/reply_journal.h"
#include "judge/server_url.h"

namespace lynceus::judge {
namespace {

constexpr const char* kHelp =
    R"(usage: lynceus-judge --url URL --requests IN.jsonl --journal OUT.jsonl [--OPTION VALUE]...

Asks an OpenAI-compatible server the questions of a file in the format of OpenAI's batches (`lynceus
evaluate openvqa --judge batch IN.jsonl` writes one) and adds its replies to a journal in the format of
their results, which `--judge-results OUT.jsonl` reads. A question that the journal has a reply to is
not asked. The same command continues after any end. Usually `lynceus evaluate openvqa --judge http URL`
starts this program.

The key is read from a file or an environment variable, sent to this server only, and never written.

  lynceus-judge --url https://api.openai.com/v1 --requests in.jsonl --journal out.jsonl
  lynceus-judge --url http://localhost:8000/v1 --requests in.jsonl --journal out.jsonl --parallel 64

Exit codes: 0 every question has a reply or was refused, 2 wrong usage, 3 bad input or refused by the server,
4 questions without a reply, or I/O error, 75 stopped on request.

)";

struct JudgeProgramConfig {
  std::string url;
  std::string requests;
  std::string journal;
  std::string key_file;
  std::string key_variable = "OPENAI_API_KEY";
  AskOptions ask;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("url", url, "of the server, with its version: http://HOST:PORT/v1");
    v.field("requests", requests, "file of the questions");
    v.field("journal", journal, "file that the replies are added to; made if it is missing");
    v.field("key-file", key_file, "file with the key of the API; before the variable");
    v.field("key-variable", key_variable, "environment variable with the key");
    v.field("requests-per-minute", ask.requests_per_minute,
            "most requests in any 60 s, repetitions included; 0: no limit");
    v.field("parallel", ask.parallel, "most requests at once");
    v.field("retries", ask.retries, "of one question");
    v.field("timeout", ask.timeout_seconds, "of one request, s");
    v.field("first-wait", ask.first_wait_seconds,
            "before the first repetition of a question, s; doubled with each");
  }
  void check(ConfigFaults* faults) const {
    const auto expect_given = [&](const char* key, const std::string& value) {
      faults->expect(!value.empty(), key, "a value", "none");
    };
    expect_given("url", url);
    expect_given("requests", requests);
    expect_given("journal", journal);
    faults->expect(ask.requests_per_minute >= 0 && ask.requests_per_minute <= 10'000'000,
                   "requests-per-minute", "0 to 10000000", ask.requests_per_minute);
    faults->expect(ask.parallel >= 1 && ask.parallel <= 1000, "parallel", "1 to 1000",
                   ask.parallel);
    faults->expect(ask.retries >= 0 && ask.retries <= 100, "retries", "0 to 100", ask.retries);
    faults->expect(ask.timeout_seconds > 0 && ask.timeout_seconds <= 86400, "timeout",
                   "more than 0, at most 86400", ask.timeout_seconds);
    faults->expect(ask.first_wait_seconds > 0 && ask.first_wait_seconds <= 60, "first-wait",
                   "more than 0, at most 60", ask.first_wait_seconds);
  }
};

/// The first signal lets what is in flight arrive; the second one ends the program.
void stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { set_stop_requested(true); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

/// Prints what was done; the exit code.
int finish(const AskSummary& summary) {
  fmt::print(stderr, "judge: {}: {} known, {} answered now by {}{}\n",
             counted(summary.questions, "question"), summary.known, summary.answered,
             counted(summary.requests, "request"),
             summary.refused > 0 ? fmt::format(", {} refused", summary.refused) : "");
  if (summary.refused > 0)
    log::warn("the server refused {}; last failure: {}", counted(summary.refused, "question"),
              summary.last_failure);
  if (summary.missing() == 0) return 0;
  if (summary.is_stopped)
    throw Error(ExitCode::kRequeue, fmt::format("stopped on request; {} without a reply",
                                                counted(summary.missing(), "question")));
  const std::string text =
      fmt::format("{} without a reply: {}", counted(summary.missing(), "question"),
                  summary.fatal.empty() ? summary.last_failure : summary.fatal);
  if (summary.is_refused) throw InputError(text);
  throw IoError(text);
}

int run(const std::vector<std::string>& arguments) {
  JudgeProgramConfig config;
  ConfigReader reader;
  reader.add(config);
  const bool wants_version = arguments.size() == 1 && arguments[0] == "--version";
  if (wants_version) {
    fmt::print("{}\n", software_version());
    return 0;
  }
  const bool wants_page = std::find_if(arguments.begin(), arguments.end(), [](const auto& word) {
                            return word == "--help" || word == "-h" || word == "--print-config";
                          }) != arguments.end();
  const CommandLine line = reader.read(arguments, [&](ConfigFaults* faults) {
    if (!wants_page) config.check(faults);
  });
  if (line.help || line.print_config) {
    fmt::print("{}{}", line.help ? kHelp : "", line.help ? reader.help() : reader.print());
    return 0;
  }
  if (!line.positionals.empty())
    throw UsageError("unexpected argument '{}'; options begin with --", line.positionals.front());
  log::set_up(0, 1, "warn");
  config.ask.url = completions_url(config.url);
  const ApiKey key = ApiKey::read(config.key_file, config.key_variable);
  if (!key.empty() && sends_in_clear(config.ask.url))
    log::warn("{}: the key is sent without encryption", config.url);
  const auto requests = evaluate::read_requests(config.requests);
  ReplyJournal journal(config.journal);
  stop_on_signals();
  return finish(ask(requests, config.ask, key, &journal));
}

int guarded(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const Error& error) {
    fmt::print(stderr, "lynceus-judge: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::system_error& error) {
    fmt::print(stderr, "lynceus-judge: {}\n", error.what());
    return static_cast<int>(ExitCode::kIo);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lynceus-judge: unexpected: {}\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace
}  // namespace lynceus::judge

int main(int argc, char** argv) { return lynceus::judge::guarded(argc, argv); }
