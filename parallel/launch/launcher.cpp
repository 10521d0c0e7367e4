#include "parallel/launch/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/cores.h"
#include "core/error.h"
#include "parallel/launch/launcher_link.h"
#include "parallel/launch/mpirun_command.h"

namespace lynceus::parallel {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kMostRanks = 4096;
constexpr int kInterruptsToKill = 3;
constexpr int kOtherFiles = 64;            // that this process and its mpirun may have open
constexpr std::chrono::seconds kGrace{2};  // for mpirun to end after its ranks

int checked(int result, const char* call) {
  if (result < 0) throw IoError("--ranks: {}: {}", call, std::strerror(errno));
  return result;
}

/// A folder of this launch, removed with what Open MPI left in it. In memory where that exists.
class SessionFolder {
 public:
  SessionFolder() {
    for (const fs::path& base : {fs::path("/dev/shm"), fs::temp_directory_path()}) {
      std::string name = base / "lynceus-XXXXXX";
      if (mkdtemp(name.data()) == nullptr) continue;
      path_ = name;
      return;
    }
    throw IoError("--ranks: cannot create a folder in {}: {}", fs::temp_directory_path().string(),
                  std::strerror(errno));
  }
  ~SessionFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  SessionFolder(const SessionFolder&) = delete;
  SessionFolder& operator=(const SessionFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// One rank, from its connection on.
struct Rank {
  int socket = -1;  ///< -1: it has ended
  pid_t pid = 0;
  int code = -1;  ///< -1: not reported
};

class Launcher {
 public:
  explicit Launcher(const LaunchRequest& request) : request_(request) {}
  ~Launcher() {
    for (const Rank& rank : ranks_)
      if (rank.socket >= 0) close(rank.socket);
    for (const int one : {signals_, listening_})
      if (one >= 0) close(one);
    sigprocmask(SIG_SETMASK, &former_, nullptr);
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  int run() {
    allow_sockets();
    watch_signals();
    listen_for_ranks();
    start_mpirun();
    while (!mpirun_ended_) wait_once();
    return result();
  }

 private:
  /// One for each rank, within what the system permits. mpirun gets the same limit, and has several
  /// pipes for each rank.
  static void allow_sockets() {
    rlimit files = {};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }

  void watch_signals() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&watched, signal);
    struct sigaction hangup = {};
    sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) sigaddset(&watched, SIGHUP);  // ignored under nohup
    sigprocmask(SIG_BLOCK, &watched, &former_);
    signals_ = checked(signalfd(-1, &watched, SFD_CLOEXEC), "signalfd");
  }

  void listen_for_ranks() {
    const std::string path = session_.path() / "launcher";
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
      throw IoError("--ranks: {}: the path is too long for a socket: set another TMPDIR", path);
    std::strcpy(address.sun_path, path.c_str());
    listening_ = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    checked(bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind");
    checked(listen(listening_, kMostRanks), "listen");
    setenv(kLauncherVariable, path.c_str(), /*overwrite=*/1);
  }

  void start_mpirun() {
    LocalLaunch launch;
    launch.ranks = request_.ranks;
    launch.cores = physical_cores();
    launch.is_root = geteuid() == 0;
    launch.session = session_.path();
    std::vector<std::string> command = mpirun_command(launch, request_.program);
    std::vector<char*> argv;
    for (std::string& text : command) argv.push_back(text.data());
    argv.push_back(nullptr);
    int failure[2];
    checked(pipe2(failure, O_CLOEXEC), "pipe2");
    const pid_t self = getpid();
    mpirun_ = checked(fork(), "fork");
    if (mpirun_ == 0) {
      setsid();
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no ranks without this process
      if (getppid() != self) _exit(1);
      sigprocmask(SIG_SETMASK, &former_, nullptr);
      if (const int none = open("/dev/null", O_RDONLY); none >= 0) dup2(none, STDIN_FILENO);
      execvp(argv[0], argv.data());
      const int error = errno;
      [[maybe_unused]] const ssize_t sent = write(failure[1], &error, sizeof(error));
      _exit(127);
    }
    close(failure[1]);
    int error = 0;
    const ssize_t got = read(failure[0], &error, sizeof(error));
    close(failure[0]);
    if (got != sizeof(error)) return;
    waitpid(mpirun_, nullptr, 0);
    throw UsageError("--ranks: cannot start mpirun: {}; it needs the mpirun of Open MPI in PATH",
                     std::strerror(error));
  }

  void wait_once() {
    std::vector<pollfd> watched = {{signals_, POLLIN, 0}, {listening_, POLLIN, 0}};
    std::vector<size_t> connected;
    for (size_t i = 0; i < ranks_.size(); ++i)
      if (ranks_[i].socket >= 0) {
        watched.push_back({ranks_[i].socket, POLLIN, 0});
        connected.push_back(i);
      }
    if (poll(watched.data(), watched.size(), end_by_ ? 100 : -1) < 0 && errno != EINTR)
      checked(-1, "poll");
    for (size_t i = 0; i < connected.size(); ++i)
      if (watched[i + 2].revents != 0) hear(&ranks_[connected[i]]);
    if (watched[1].revents != 0) accept_rank();
    if (watched[0].revents != 0) take_signal();
    if (end_by_ && Clock::now() > *end_by_) kill(mpirun_, SIGKILL);
  }

  void accept_rank() {
    const int socket = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;
      const int error = errno;
      kill_ranks(0);
      kill(mpirun_, SIGKILL);
      throw IoError(
          "--ranks {}: rank {} cannot be connected: {}: raise the limit of open files "
          "(`ulimit -n`) above {}",
          request_.ranks, ranks_.size(), std::strerror(error), request_.ranks + kOtherFiles);
    }
    ucred peer = {};
    socklen_t size = sizeof(peer);
    getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    send_outputs(socket);
    ranks_.push_back({socket, peer.pid, -1});
    if (killed_) kill(peer.pid, SIGKILL);
    if (stop_signal_ != 0) ask_to_stop(ranks_.back());
  }

  static void send_outputs(int socket) {
    char byte = 'O';
    iovec part = {&byte, 1};
    const int outputs[2] = {STDOUT_FILENO, STDERR_FILENO};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(outputs))] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(outputs));
    std::memcpy(CMSG_DATA(header), outputs, sizeof(outputs));
    // A rank that is gone already is noticed at the next read.
    [[maybe_unused]] const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  }

  void hear(Rank* rank) {
    char bytes[2];
    const ssize_t got = recv(rank->socket, bytes, sizeof(bytes), MSG_WAITALL);
    if (got == sizeof(bytes)) {
      rank->code = static_cast<unsigned char>(bytes[1]);
      if (bytes[0] == static_cast<char>(RankMessage::kExit)) lost_ = *rank;
      if (bytes[0] != static_cast<char>(RankMessage::kEnd)) kill_ranks(rank->pid);
      return;
    }
    close(rank->socket);
    rank->socket = -1;
    if (rank->code < 0 && !killed_) {
      rank->code = 128 + SIGKILL;  // of the signals only this one cannot be reported
      lost_ = *rank;
      kill_ranks(rank->pid);
    }
    bool any = false;
    for (const Rank& other : ranks_) any = any || other.socket >= 0;
    if (!any && static_cast<int>(ranks_.size()) == request_.ranks) end_by_ = Clock::now() + kGrace;
  }

  void take_signal() {
    signalfd_siginfo info = {};
    if (read(signals_, &info, sizeof(info)) != sizeof(info)) return;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      mpirun_ended_ = waitpid(mpirun_, &mpirun_status_, WNOHANG) == mpirun_;
      return;
    }
    stop_signal_ = signal;
    if (!request_.stops_on_request) return end_at_once();
    if (signal == SIGINT && ++interrupts_ > 1) {
      if (interrupts_ >= kInterruptsToKill) return end_at_once();
      fmt::print(stderr,
                 "lynceus: the ranks are stopping; a third Ctrl-C ends them at once, "
                 "without a checkpoint\n");
    }
    for (const Rank& rank : ranks_) ask_to_stop(rank);
  }

  /// The rank reads it when it can: bytes wait in the socket.
  void ask_to_stop(const Rank& rank) const {
    if (rank.socket < 0) return;
    [[maybe_unused]] const ssize_t sent = send(rank.socket, "S", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void end_at_once() {
    ended_by_ = stop_signal_;
    kill_ranks(0);
  }

  void kill_ranks(pid_t except) {
    killed_ = true;
    end_by_ = Clock::now() + kGrace;
    for (const Rank& rank : ranks_)
      if (rank.socket >= 0 && rank.pid != except) kill(rank.pid, SIGKILL);
  }

  int result() const {
    if (ended_by_ != 0) return 128 + ended_by_;
    if (lost_.pid != 0) return result_of_lost();
    for (const Rank& rank : ranks_)
      if (rank.code > 0) return rank.code;
    if (static_cast<int>(ranks_.size()) == request_.ranks) return 0;
    const bool exited = WIFEXITED(mpirun_status_);
    const int code = exited ? WEXITSTATUS(mpirun_status_) : 128 + WTERMSIG(mpirun_status_);
    if (code != 0)
      fmt::print(stderr, "lynceus: mpirun started {} of {} ranks and ended with exit code {}\n",
                 ranks_.size(), request_.ranks, code);
    return code;
  }

  int result_of_lost() const {
    const int signal = lost_.code - 128;
    const std::string how =
        signal == SIGKILL ? "was killed (signal 9, which the system also sends if memory runs out)"
        : signal > 0      ? fmt::format("was ended by signal {} ({})", signal, strsignal(signal))
                          : "ended without a report";
    fmt::print(stderr, "lynceus: process {}, one of {} ranks, {}: the others were ended\n",
               lost_.pid, request_.ranks, how);
    return lost_.code;
  }

  const LaunchRequest& request_;
  const SessionFolder session_;
  sigset_t former_ = {};
  int signals_ = -1, listening_ = -1;
  pid_t mpirun_ = -1;
  bool mpirun_ended_ = false;
  int mpirun_status_ = 0;
  std::vector<Rank> ranks_;  ///< in the order of their connections
  int stop_signal_ = 0;
  int interrupts_ = 0;
  int ended_by_ = 0;  ///< the signal that ended the ranks without a checkpoint
  bool killed_ = false;
  Rank lost_;  ///< the one that ended without a report of its own; pid 0: none did
  std::optional<Clock::time_point> end_by_;  ///< when mpirun is ended, if it has not by itself
};

}  // namespace

std::optional<int> take_ranks(std::vector<std::string>* arguments) {
  constexpr std::string_view kOption = "--ranks";
  std::optional<int> ranks;
  for (size_t i = 0; i < arguments->size() && (*arguments)[i] != "--";) {
    const std::string& argument = (*arguments)[i];
    const bool joined = argument.starts_with(std::string(kOption) + "=");
    if (argument != kOption && !joined) {
      ++i;
      continue;
    }
    const bool has_value = joined || i + 1 < arguments->size();
    const std::string text = joined ? argument.substr(kOption.size() + 1)
                                    : (has_value ? (*arguments)[i + 1] : std::string());
    char* end = nullptr;
    const long value = std::strtol(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || value < 1 || value > kMostRanks)
      throw UsageError("--ranks: expected a number of ranks, 1 to {}, found '{}'", kMostRanks,
                       text);
    ranks = static_cast<int>(value);
    arguments->erase(arguments->begin() + static_cast<std::ptrdiff_t>(i),
                     arguments->begin() + static_cast<std::ptrdiff_t>(i) + (joined ? 1 : 2));
  }
  return ranks;
}

int run_ranks(const LaunchRequest& request) { return Launcher(request).run(); }

}  // namespace lynceus::parallel
