#include "evaluate/judge/judge_program.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "evaluate/answer_rows.h"
#include "io/files/file.h"

extern char** environ;

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

fs::path program_path() {
  const fs::path path = fs::read_symlink("/proc/self/exe").parent_path() / "lynceus-judge";
  if (!io::file_exists(path))
    throw UsageError(
        "judge http: expected the program {}, found none: Lynceus was built without libcurl; "
        "--judge batch FILE writes the questions for another program",
        path.string());
  return path;
}

/// The requests of this call, removed at its end. The program ends before.
class RequestFile {
 public:
  RequestFile(const fs::path& journal, std::span<const JudgeRequest> requests)
      : path_(journal.string() + fmt::format(".{}.requests", ::getpid())) {
    write_requests(path_, requests);
  }
  ~RequestFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  RequestFile(const RequestFile&) = delete;
  RequestFile& operator=(const RequestFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

int run(const fs::path& program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv.data(), environ);
  if (failed != 0)
    throw IoError("{}: {}", program.string(), std::generic_category().message(failed));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw IoError("waitpid: {}", std::generic_category().message(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

void run_judge_program(const HttpJudge& how, std::span<const JudgeRequest> requests) {
  const fs::path program = program_path();
  const RequestFile file(how.journal, requests);
  std::vector<std::string> arguments = {"--url",
                                        how.url,
                                        "--requests",
                                        file.path().string(),
                                        "--journal",
                                        how.journal.string(),
                                        "--requests-per-minute",
                                        std::to_string(how.requests_per_minute),
                                        "--parallel",
                                        std::to_string(how.parallel),
                                        "--retries",
                                        std::to_string(how.retries),
                                        "--timeout",
                                        fmt::format("{}", how.timeout_seconds)};
  for (const auto& [name, value] :
       {std::pair("--key-file", how.key_file), std::pair("--key-variable", how.key_variable)})
    if (!value.empty()) arguments.insert(arguments.end(), {name, value});
  const int code = run(program, arguments);
  if (code == 0) return;
  if (code < 0) throw IoError("{}: ended by signal {}", program.string(), -code);
  const auto kind = static_cast<ExitCode>(code);
  if (kind != ExitCode::kIo && kind != ExitCode::kRequeue)
    throw Error(kind, "the judge has given no verdicts: lynceus-judge says above why");
  throw Error(
      kind,
      fmt::format("the judge has not answered all questions; its replies so far are in {}, and "
                  "the same command asks only what is missing",
                  how.journal.string()));
}

JudgeReplies replies_to(std::span<const JudgeRequest> requests, const fs::path& journal) {
  if (io::File::open(journal).size() == 0) return {};
  std::set<std::string> digests;
  for (const JudgeRequest& request : requests) digests.insert(request.digest);
  return read_replies(journal, [&](const JudgeReply& reply) {
    return reply.digest.empty() || digests.contains(reply.digest);
  });
}

}  // namespace lynceus::evaluate
