// Signal handlers that set one flag, and the check for the file STOP.
#include "train/run/signals.h"

#include <csignal>

namespace lynceus::train {
namespace {

volatile std::sig_atomic_t stop_requested = 0;  // written by the handler, so it cannot be a member

constexpr int kSignals[] = {SIGUSR1, SIGTERM, SIGINT};

extern "C" void request_stop(int) { stop_requested = 1; }

}  // namespace

StopRequests::StopRequests(std::filesystem::path run_directory)
    : stop_file_(std::move(run_directory) / "STOP") {
  stop_requested = 0;
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART;
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

StopRequests::~StopRequests() {
  for (const int signal : kSignals) std::signal(signal, SIG_IGN);
}

void StopRequests::clear() const {
  std::error_code ignored;
  std::filesystem::remove(stop_file_, ignored);
}

StopReason StopRequests::agreed(parallel::Communicator& world, const io::Lease* lease) const {
  StopReason mine = stop_requested != 0 ? StopReason::kRequested : StopReason::kNone;
  std::error_code unreadable;  // counts as no file
  if (world.rank() == 0 && std::filesystem::exists(stop_file_, unreadable))
    mine = StopReason::kRequested;
  if (lease != nullptr && lease->lost()) mine = StopReason::kLeaseLost;
  return StopReason{world.all_reduce(static_cast<int64_t>(mine), parallel::ReduceOp::kMax)};
}

}  // namespace lynceus::train
