// posix_spawn, a pipe and a deadline.
#include "prepare/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "core/error.h"

extern char** environ;

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* call, const fs::path& program, int error) {
  throw IoError("{} for '{}': {}", call, program.string(), std::generic_category().message(error));
}

/// Closes both ends. Children inherit neither.
struct Pipe {
  int read_end = -1;
  int write_end = -1;

  explicit Pipe(const fs::path& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe", program, errno);
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_write_end();
    ::close(read_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void close_write_end() {
    if (write_end >= 0) ::close(write_end);
    write_end = -1;
  }
};

pid_t start(const fs::path& program, const std::vector<std::string>& arguments,
            const io::File& input, const Pipe& pipe) {
  std::vector<std::string> texts = {program.string()};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (input.is_open())
    posix_spawn_file_actions_adddup2(&files, input.descriptor(), STDIN_FILENO);
  else
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, pipe.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) fail("posix_spawn", program, error);
  return pid;
}

/// Reads until the end of the output or a limit.
void read_output(const Pipe& pipe, Clock::time_point deadline, size_t max_bytes,
                 ChildResult& result) {
  char buffer[1 << 16];
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      result.out_of_time = true;
      return;
    }
    pollfd readable{pipe.read_end, POLLIN, 0};
    const int ready = ::poll(&readable, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready <= 0) continue;  // interrupted by a signal, or out of time
    const ssize_t count = ::read(pipe.read_end, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    if (result.output.size() + static_cast<size_t>(count) > max_bytes) {
      result.too_much_output = true;
      return;
    }
    result.output.append(buffer, static_cast<size_t>(count));
  }
}

/// The exit status. A program that closed its output but does not end is killed at the deadline.
int await_end(pid_t pid, Clock::time_point deadline, ChildResult& result) {
  int status = 0;
  bool killed = result.out_of_time || result.too_much_output;
  if (killed) ::kill(pid, SIGKILL);
  while (true) {
    const pid_t ended = ::waitpid(pid, &status, killed ? 0 : WNOHANG);
    if (ended == pid) return status;
    if (ended < 0 && errno != EINTR) fail("waitpid", std::to_string(pid), errno);
    if (killed) continue;
    if (Clock::now() >= deadline) {
      result.out_of_time = killed = true;
      ::kill(pid, SIGKILL);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace

ChildResult run_child(const fs::path& program, const std::vector<std::string>& arguments,
                      const io::File& input, const ChildLimits& limits) {
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(limits.seconds));
  Pipe pipe(program);
  const pid_t pid = start(program, arguments, input, pipe);
  pipe.close_write_end();
  ChildResult result;
  read_output(pipe, deadline, limits.max_bytes, result);
  const int status = await_end(pid, deadline, result);
  if (result.out_of_time || result.too_much_output) return result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace lynceus::prepare
