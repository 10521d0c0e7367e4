// Signal handlers that set a flag and wake a thread, and the check for the file STOP.
#include "train/run/signals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "parallel/launch/launcher_link.h"

namespace lynceus::train {
namespace {

// Read by the handler, so it cannot be a member.
volatile std::sig_atomic_t wake_end = -1;

volatile std::sig_atomic_t is_started_by_mpirun = 0;

constexpr int kSignals[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP, SIGCONT};
constexpr char kEnd = 'e', kSignal = 's', kSignalOfParent = 'p';

void wake(int end, char byte) { [[maybe_unused]] const ssize_t written = write(end, &byte, 1); }

extern "C" void request_stop(int signal, siginfo_t* info, void*) {
  const int error = errno;
  // Open MPI's mpirun sends CONT when it is interrupted, TERM a while later. After a Ctrl-Z anybody
  // may send CONT, but not a parent that is mpirun.
  if (signal == SIGCONT && (!is_started_by_mpirun || info->si_pid != getppid())) return;
  if (!stop_is_requested()) {
    set_stop_requested(true);
    const bool relayed = info->si_code == SI_QUEUE && info->si_value.sival_int == kSignalOfParent;
    const bool of_parent = relayed || (signal != SIGUSR1 && info->si_pid == getppid());
    if (wake_end >= 0) wake(wake_end, of_parent ? kSignalOfParent : kSignal);
  }
  errno = error;
}

/// Takes the signals away from the threads that compute, which are this one, those of OpenMP and
/// all that they start: kernels of oneDNN use the stack pointer as an ordinary register, so the
/// frame of a handler would be written into their data. Returns the mask from before.
sigset_t block_where_computed() {
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : kSignals) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
#pragma omp parallel
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return before;
}

}  // namespace

StopRequests::StopRequests(std::filesystem::path run_directory, Answer answer)
    : stop_file_(std::move(run_directory) / "STOP"), answer_(std::move(answer)) {
  set_stop_requested(false);
  if (pipe2(wake_, O_CLOEXEC) != 0) throw IoError("pipe: {}", std::strerror(errno));
  wake_end = wake_[1];
  watcher_ = std::thread([this] { watch(); });
  is_started_by_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr &&
                         std::getenv("OMPI_MCA_orte_forward_job_control") == nullptr;
  struct sigaction action = {};
  action.sa_sigaction = request_stop;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  struct sigaction hangup = {};
  sigaction(SIGHUP, nullptr, &hangup);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
  if (hangup.sa_handler == SIG_IGN) sigaction(SIGHUP, &hangup, nullptr);  // under nohup
  mask_before_ = block_where_computed();
}

StopRequests::~StopRequests() {
  for (const int signal : kSignals) std::signal(signal, SIG_IGN);
  wake_end = -1;
  wake(wake_[1], kEnd);
  watcher_.join();
  for (const int end : wake_) close(end);
#pragma omp parallel
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void StopRequests::watch() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  pollfd watched[] = {{wake_[0], POLLIN, 0}, {parallel::LauncherLink::stop_socket(), POLLIN, 0}};
  bool answered = false;
  while (true) {
    if (poll(watched, 2, -1) < 0) continue;  // a signal
    char byte = kSignal;
    if (watched[0].revents != 0 && read(wake_[0], &byte, 1) == 1 && byte == kEnd) return;
    if (watched[1].revents != 0) {
      char ignored[64];
      if (read(watched[1].fd, ignored, sizeof(ignored)) <= 0) watched[1].fd = -1;
      set_stop_requested(true);
    }
    if (answered) continue;
    answered = true;
    if (relay_ != 0) {
      sigval value = {};
      value.sival_int = byte;
      sigqueue(relay_, SIGUSR1, value);
    }
    if (answer_) answer_(byte == kSignalOfParent);
  }
}

bool StopRequests::clear() const {
  std::error_code error;
  std::filesystem::rename(stop_file_, stop_file_.parent_path() / kStoppedName, error);
  const bool was_there = !error;
  if (error) std::filesystem::remove(stop_file_, error);
  return was_there;
}

StopReason StopRequests::agreed(parallel::Communicator& world, const io::Lease* lease) const {
  StopReason mine = stop_is_requested() ? StopReason::kRequested : StopReason::kNone;
  std::error_code unreadable;  // counts as no file
  if (world.rank() == 0 && std::filesystem::exists(stop_file_, unreadable))
    mine = StopReason::kRequested;
  if (lease != nullptr && lease->lost()) mine = StopReason::kLeaseLost;
  return StopReason{world.all_reduce(static_cast<int64_t>(mine), parallel::ReduceOp::kMax)};
}

bool StopRequests::any_asked(parallel::Communicator& world) {
  return world.all_reduce(static_cast<int64_t>(stop_is_requested()), parallel::ReduceOp::kMax) != 0;
}

pid_t first_rank_here(parallel::Communicator& world) {
  if (world.size() == 1) return 0;
  const io::LeaseOwner mine = io::this_process();
  const std::string machine = mine.boot_id + " " + mine.pid_namespace;
  const std::string first = world.broadcast(fmt::format("{} {}", mine.pid, machine), 0);
  if (world.rank() == 0 || !first.ends_with(" " + machine)) return 0;
  return static_cast<pid_t>(std::stol(first));
}

}  // namespace lynceus::train
