#include "train/watch/watchdog.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>

#include "core/process/end_process.h"
#include "train/incarnation/node_ledger.h"

namespace lynceus::train {
namespace {

using parallel::RankState;

constexpr double kSlowestTick = 1, kFastestTick = 0.02;
constexpr double kStopped = 1;       // a thread that wakes up so late was stopped, seconds
constexpr double kMostCollect = 10;  // for states that are not written yet, seconds

/// Lower ranks are first to report: rank 0 at once, the others one after the other.
double turn(int rank) { return rank == 0 ? 0 : std::min(30.0, 1 + 0.05 * rank); }

std::string this_place() {
  char host[256] = "?";
  gethostname(host, sizeof(host) - 1);
  return fmt::format("{}, process {}", host, getpid());
}

/// On the terminal even if another thread of this process holds the locks of the log.
void write_to_terminal(const std::string& message) {
  const std::string text =
      fmt::format("{}lynceus: {}\n", isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "", message);
  for (size_t at = 0; at < text.size();) {
    const ssize_t written = write(STDERR_FILENO, text.data() + at, text.size() - at);
    if (written <= 0) return;
    at += static_cast<size_t>(written);
  }
}

}  // namespace

Watchdog::Watchdog(const parallel::Grid& grid, SectionClock* clock,
                   const std::filesystem::path& run_directory)
    : grid_(grid), clock_(*clock), run_directory_(run_directory) {
  places_ = grid.world->all_gather(this_place());
  std::random_device random;
  folder_.emplace(run_directory,
                  grid.world->broadcast(fmt::format("{:08x}{:08x}", random(), random()), 0));
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);  // signals are for the other threads
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_all();
  thread_.join();
  withdraw();
}

bool Watchdog::sleep(double seconds) {
  std::unique_lock lock(mutex_);
  return !ends_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return ending_; });
}

void Watchdog::watch() {
  double tick = kSlowestTick;
  while (true) {
    const int64_t before = parallel::steady_nanoseconds();
    if (!sleep(tick)) return;
    const double slept = 1e-9 * static_cast<double>(parallel::steady_nanoseconds() - before);
    if (slept > tick + kStopped) clock_.continued();
    const SectionClock::Stall stall = clock_.stall();
    tick = std::clamp(stall.note / 10, kFastestTick, kSlowestTick);
    if (stall.seconds < stall.note) {
      withdraw();
      continue;
    }
    if (!noted_) note(stall);
    const double due = std::max(stall.limit + turn(grid_.world->rank()), next_report_);
    if (stall.limit > 0 && stall.seconds > due) report();
  }
}

RankState Watchdog::state(const SectionClock::Stall& stall) const {
  RankState state;
  state.rank = grid_.world->rank();
  state.ranks = grid_.world->size();
  state.section = name_of(stall.section);
  state.step = stall.step;
  state.stalled = stall.seconds;
  state.limit = stall.limit;
  state.written = parallel::system_seconds();
  state.groups =
      parallel::group_states(grid_, !stall.is_saving, !clock_.is_saving() || stall.is_saving);
  return state;
}

void Watchdog::note(const SectionClock::Stall& stall) {
  noted_ = true;
  next_report_ = 0;
  if (grid_.world->size() > 1) folder_->write_state(grid_.world->rank(), to_text(state(stall)));
}

void Watchdog::withdraw() {
  if (!noted_) return;
  noted_ = false;
  if (grid_.world->size() > 1) folder_->remove_state(grid_.world->rank());
}

bool Watchdog::has_moved(const SectionClock::Stall& since) const {
  return clock_.stall().seconds < since.seconds;
}

std::vector<std::optional<RankState>> Watchdog::collect(const SectionClock::Stall& stall) const {
  const int ranks = grid_.world->size();
  std::vector<std::optional<RankState>> states(static_cast<size_t>(ranks));
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::duration<double>(std::min(stall.limit / 4, kMostCollect));
  while (true) {
    const auto texts = folder_->read_states(ranks);
    for (int rank = 0; texts && rank < ranks; ++rank)
      states[static_cast<size_t>(rank)] =
          parallel::parse_rank_state((*texts)[static_cast<size_t>(rank)]);
    const bool complete = std::all_of(states.begin(), states.end(),
                                      [](const auto& state) { return state.has_value(); });
    if (complete || !texts || std::chrono::steady_clock::now() > until) return states;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

void Watchdog::report() {
  const SectionClock::Stall stall = clock_.stall();
  const RankState mine = state(stall);
  const auto claim =
      grid_.world->size() == 1 ? WatchFolder::Claim::kMine : folder_->claim(mine.rank);
  if (claim == WatchFolder::Claim::kOther) {  // it may wait for a slow rank
    next_report_ = stall.seconds + WatchFolder::kClaimSeconds / 2.0;
    return;
  }
  std::vector<std::optional<RankState>> states(places_.size());
  if (claim == WatchFolder::Claim::kMine && places_.size() > 1) states = collect(stall);
  states[static_cast<size_t>(mine.rank)] = mine;
  if (has_moved(stall)) return;
  if (claim == WatchFolder::Claim::kMine)
    if (const double left = parallel::seconds_left(states); left > 0) {
      next_report_ = stall.seconds + std::min(left, WatchFolder::kClaimSeconds / 4.0);
      return;
    }
  const std::string where = fmt::format("watchdog: no progress for {:.0f} s in section {}, step {}",
                                        stall.seconds, mine.section, mine.step + 1);
  if (claim == WatchFolder::Claim::kNoAnswer)
    end(
        fmt::format("{} on rank {} ({}), and the run directory does not answer, so the other ranks "
                    "are not known",
                    where, mine.rank, places_[static_cast<size_t>(mine.rank)]));
  const parallel::Diagnosis found = parallel::diagnose(states, places_);
  for (const int rank : found.ranks) {
    const std::string& place = places_[static_cast<size_t>(rank)];
    note_failure(run_directory_, {rank, place.substr(0, place.find(',')), "named by the watchdog"});
  }
  end(fmt::format("{}: {}{}", where, found.what, found.states));
}

void Watchdog::end(const std::string& message) const {
  const std::string text =
      message +
      "\n  all ranks end with exit code 124; start the same command again to continue "
      "from the newest checkpoint";
  write_to_terminal(text);
  WatchFolder::append_to_log(run_directory_, text);
  // The folder stays: its claim keeps the other ranks from reporting until they are ended.
  end_job(ExitCode::kWatchdog);
}

}  // namespace lynceus::train
