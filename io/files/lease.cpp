#include "io/files/lease.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <random>
#include <utility>

#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/text/utc.h"
#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::io {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Start time of a living process; nullopt if it does not exist or is a zombie.
std::optional<uint64_t> start_time_of(int64_t pid) {
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  // The second field is the program's name in parentheses and may contain anything, so count from
  // its end: the state is field 3, the start time field 22.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= line.size()) return std::nullopt;
  const char state = line[name_end + 2];
  if (state == 'Z' || state == 'X') return std::nullopt;
  size_t position = name_end + 2;
  for (int field = 3; field < 22; ++field) {
    position = line.find(' ', position);
    if (position == std::string::npos) return std::nullopt;
    ++position;
  }
  return std::strtoull(line.c_str() + position, nullptr, 10);
}

/// The text of LEASE.json. The heartbeat has a fixed place and width.
std::string to_text(const LeaseOwner& owner) {
  const JsonValue json = JsonValue::object({{"host", owner.host},
                                            {"boot_id", owner.boot_id},
                                            {"pid_namespace", owner.pid_namespace},
                                            {"pid", owner.pid},
                                            {"start_time", owner.start_time},
                                            {"job", owner.job},
                                            {"restart_count", owner.restart_count},
                                            {"start_count", owner.start_count},
                                            {"since", owner.since},
                                            {"token", owner.token}});
  return fmt::format("{{\"heartbeat\": \"{}\",\n\"owner\": {}}}\n", owner.heartbeat,
                     json.dump_replacing());
}
constexpr uint64_t kHeartbeatOffset = sizeof("{\"heartbeat\": \"") - 1;

/// InputError with the cure for a file that is no lease, such as one of a system that crashed.
LeaseOwner read_present_owner(const fs::path& path) try {
  const Json json = Json::parse(read_text(path, 1 << 16), "its text");
  const Json owner = json.at("owner");
  const auto since = owner.find("since"), start_count = owner.find("start_count");
  return LeaseOwner{.host = owner.at("host").string(),
                    .boot_id = owner.at("boot_id").string(),
                    .pid_namespace = owner.at("pid_namespace").string(),
                    .pid = owner.at("pid").integer(),
                    .start_time = static_cast<uint64_t>(owner.at("start_time").integer()),
                    .job = owner.at("job").string(),
                    .restart_count = owner.at("restart_count").integer(),
                    .start_count = start_count ? start_count->integer() : 0,
                    .token = owner.at("token").string(),
                    .since = since ? since->string() : "",
                    .heartbeat = json.at("heartbeat").string()};
} catch (const InputError& error) {
  throw InputError(
      "{}: expected the name of the process that uses this folder, but: {}. Remove this file if no "
      "process uses the folder",
      path.string(), error.what());
}

/// nullopt if there is no lease, also if its owner removes it meanwhile.
std::optional<LeaseOwner> read_owner(const fs::path& path) try {
  return read_present_owner(path);
} catch (const IoError&) {
  if (!file_exists(path)) return std::nullopt;
  throw;
}

enum class Life { kAlive, kDead, kUnknown };

/// Whether the owner is alive, as far as this is known without waiting.
Life life_of(const LeaseOwner& owner, const LeaseOwner& self) {
  if (owner.host != self.host) return Life::kUnknown;
  // Another boot of this host, or another host of this name.
  if (owner.boot_id != self.boot_id) return Life::kUnknown;
  if (owner.pid_namespace != self.pid_namespace) return Life::kUnknown;
  return start_time_of(owner.pid) == owner.start_time ? Life::kAlive : Life::kDead;
}

bool is_later_start_of(const LeaseOwner& self, const LeaseOwner& owner) {
  return !self.job.empty() && self.job == owner.job &&
         std::pair(self.restart_count, self.start_count) >
             std::pair(owner.restart_count, owner.start_count);
}

/// Watches the heartbeat until it changes (false) or has been unchanged for dead_after (true).
bool watch_until_dead(const fs::path& path, LeaseOwner& owner, const LeaseOptions& options) {
  const auto begin = Clock::now();
  const auto end = begin + options.dead_after;
  const std::string seen = owner.heartbeat;
  log::warn("{}: held by {}; waiting {} s for its heartbeat", path.string(), owner.describe(),
            std::chrono::duration_cast<std::chrono::seconds>(options.dead_after).count());
  while (Clock::now() < end) {
    const auto remaining = std::chrono::duration_cast<milliseconds>(end - Clock::now());
    if (options.waiting) options.waiting(owner, remaining);
    std::this_thread::sleep_for(std::clamp(remaining, milliseconds(1),
                                           std::min(milliseconds(1000), options.dead_after / 4)));
    const auto now = read_owner(path);
    if (!now) return true;
    if (now->token != owner.token || now->heartbeat != seen) {
      owner = *now;
      return false;
    }
  }
  return true;
}

[[noreturn]] void refuse(const fs::path& path, const LeaseOwner& owner,
                         const LeaseOptions& options) {
  throw UsageError("{}: this {} is in use by {}; wait until it ends, {}", path.string(),
                   options.directory_is, owner.describe(), options.advice);
}

constexpr const char* kLockName = ".lease.lock";
constexpr milliseconds kSilentWait{2000};

/// A lock between processes that acquire or release the lease at the same time. The last of them
/// removes its file, unless there is a lease.
class NewcomerLock {
 public:
  enum class Wait { kUntilFree, kNever };
  NewcomerLock(const fs::path& directory, Wait wait) : directory_(directory) {
    do {
      file_ = File::create(directory / kLockName);
      is_held_ = lock(Wait::kNever) || (wait == Wait::kUntilFree && wait_for_lock());
    } while (is_held_ && !is_named());  // removed meanwhile
  }
  /// The owner removes the lease first and then tries the lock; a refused newcomer unlocks first
  /// and then looks for the lease. So one of the two sees that neither is there, and removes the
  /// file.
  ~NewcomerLock() {
    flock(file_.descriptor(), LOCK_UN);
    std::error_code error;
    if (!fs::exists(directory_ / kLeaseName, error) && is_free() && is_named() &&
        !fs::exists(directory_ / kLeaseName, error))
      fs::remove(file_.path(), error);
  }
  NewcomerLock(const NewcomerLock&) = delete;
  NewcomerLock& operator=(const NewcomerLock&) = delete;

  /// Not where the file system has no locks.
  bool is_held() const { return is_held_; }

 private:
  bool lock(Wait wait) const {
    int result;
    do {
      result = flock(file_.descriptor(), LOCK_EX | (wait == Wait::kNever ? LOCK_NB : 0));
    } while (result != 0 && errno == EINTR);
    return result == 0;
  }
  bool wait_for_lock() const {
    if (errno != EWOULDBLOCK) return false;
    const auto begin = Clock::now();
    while (Clock::now() - begin < kSilentWait) {
      std::this_thread::sleep_for(milliseconds(5));
      if (lock(Wait::kNever)) return true;
    }
    log::warn("{}: waiting for another process that tries to take the lease",
              file_.path().string());
    return lock(Wait::kUntilFree);
  }
  /// Also where the file system has no locks. Locks it.
  bool is_free() const { return lock(Wait::kNever) || errno != EWOULDBLOCK; }
  /// Whether the open file is still the one of that name.
  bool is_named() const {
    struct stat opened {
    }, named{};
    return ::fstat(file_.descriptor(), &opened) == 0 && ::stat(file_.path().c_str(), &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
  }

  fs::path directory_;
  File file_;
  bool is_held_ = false;
};

/// Whether a lock on this file system is one for all processes that can see it. Some network file
/// systems have locks only within one host.
bool locks_are_global(const fs::path& directory) {
  struct statfs status {};
  if (::statfs(directory.c_str(), &status) != 0) return false;
  constexpr unsigned kXfsMagic = 0x58465342;
  for (const unsigned local : {unsigned{EXT4_SUPER_MAGIC}, kXfsMagic, unsigned{BTRFS_SUPER_MAGIC},
                               unsigned{TMPFS_MAGIC}, unsigned{OVERLAYFS_SUPER_MAGIC}})
    if (static_cast<unsigned>(status.f_type) == local) return true;
  return false;
}

}  // namespace

std::string LeaseOwner::describe() const {
  const std::string start = start_count == 0 ? "" : fmt::format("start {}, ", start_count + 1);
  const std::string in_job =
      job.empty() ? "" : fmt::format("job {}, restart {}, {}", job, restart_count, start);
  const std::string from = since.empty() ? "" : fmt::format("since {}, ", since);
  return fmt::format("process {} on {} ({}{}last heartbeat {})", pid, host, in_job, from,
                     heartbeat);
}

LeaseOwner this_process() {
  LeaseOwner owner;
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  owner.host = host;
  owner.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  std::error_code ignored;
  owner.pid_namespace = fs::read_symlink("/proc/self/ns/pid", ignored).string();
  owner.pid = getpid();
  owner.start_time = start_time_of(owner.pid).value_or(0);
  owner.job = variable("SLURM_JOB_ID");
  owner.restart_count = std::atoll(variable("SLURM_RESTART_COUNT").c_str());
  owner.start_count = std::atoll(variable("LYNCEUS_JOB_START").c_str());
  std::random_device random;
  owner.token = fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
  owner.heartbeat = utc_text(unix_now());
  return owner;
}

std::optional<LeaseOwner> read_lease(const fs::path& directory) {
  return read_owner(directory / kLeaseName);
}

std::string lease_loss(const fs::path& directory) {
  // A process that took the lease and has ended since has removed it; the other files remain.
  std::error_code error;
  const fs::directory_iterator files(directory, error);
  return !error && files != fs::directory_iterator()
             ? "another process took the lease"
             : "the lease is gone, and its file system may be";
}

std::optional<bool> owner_is_alive(const LeaseOwner& owner) {
  const Life life = life_of(owner, this_process());
  if (life == Life::kUnknown) return std::nullopt;
  return life == Life::kAlive;
}

std::unique_ptr<Lease> Lease::acquire(const fs::path& directory, const LeaseOptions& options) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw IoError("{}: cannot create: {}", directory.string(), error.message());
  const fs::path path = directory / kLeaseName;
  LeaseOwner self = this_process();
  const NewcomerLock lock(directory, NewcomerLock::Wait::kUntilFree);

  // Files left by processes that died in this function.
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().filename().string().starts_with(std::string(kLeaseName) + "."))
      fs::remove(entry.path(), error);

  std::optional<LeaseOwner> owner;
  try {
    owner = read_owner(path);
  } catch (const InputError&) {
    if (!options.take_over) throw;
  }
  if (owner && !options.take_over && !is_later_start_of(self, *owner)) {
    const Life life = life_of(*owner, self);
    if (life == Life::kAlive) refuse(path, *owner, options);
    if (life == Life::kUnknown && !watch_until_dead(path, *owner, options))
      refuse(path, *owner, options);
  }
  // The order matters. What the former owner has prepared is taken away before the rename takes the
  // lease from it; afterwards, what it prepared meanwhile.
  if (options.disarm_former_owner) options.disarm_former_owner(self.token);
  LYNCEUS_FAULT_POINT("lease.after_sweep");
  self.since = self.heartbeat = utc_text(unix_now());
  fs::path temporary = path;
  temporary += "." + self.token;
  File file = File::create(temporary);
  const std::string text = to_text(self);
  file.append(text.data(), text.size());
  file.sync();
  rename_file(temporary, path);
  sync_directory(directory);
  if (options.disarm_former_owner) options.disarm_former_owner(self.token);
  // Without a lock that all others see, two newcomers may both get here: the last rename wins.
  if (!lock.is_held() || !locks_are_global(directory))
    std::this_thread::sleep_for(milliseconds(200));
  const auto now = read_owner(path);
  if (!now)
    throw IoError("{}: removed by another process while this one acquired it", path.string());
  if (now->token != self.token) refuse(path, *now, options);
  if (owner) log::warn("{}: taken over from {}", path.string(), owner->describe());
  return std::unique_ptr<Lease>(new Lease(path, self, std::move(file), options.heartbeat));
}

Lease::Lease(fs::path path, LeaseOwner owner, File file, milliseconds interval)
    : path_(std::move(path)),
      owner_(std::move(owner)),
      file_(std::move(file)),
      interval_(interval),
      thread_([this] { beat(); }) {}

Lease::~Lease() { release(); }

void Lease::beat() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    try {
      const std::string now = utc_text(unix_now());
      file_.write_at(kHeartbeatOffset, now.data(), now.size());
      file_.sync();
      still_mine();
    } catch (const std::exception& error) {
      log::warn("the heartbeat of the lease failed: {}", error.what());
    }
  }
}

bool Lease::still_mine() const {
  bool mine = false;
  try {
    const auto now = read_owner(path_);
    mine = now && now->token == owner_.token;
  } catch (const InputError&) {  // another process wrote other content
  }
  if (!mine) lost_ = true;
  return mine;
}

void Lease::confirm() const {
  if (!still_mine()) throw IoError("{}: {}", path_.string(), lease_loss(path_.parent_path()));
}

void Lease::release() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  try {
    const NewcomerLock lock(path_.parent_path(), NewcomerLock::Wait::kNever);
    if (still_mine()) fs::remove(path_);
    file_.close();
  } catch (const std::exception& error) {
    log::warn("{}: cannot release the lease: {}", path_.string(), error.what());
  }
}

}  // namespace lynceus::io
