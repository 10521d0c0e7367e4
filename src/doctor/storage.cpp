#include "doctor/storage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/text/units.h"
#include "doctor/trial.h"
#include "io/files/file.h"
#include "io/files/lease.h"
#include "parallel/agreement.h"

namespace lynceus::doctor {
namespace {

namespace fs = std::filesystem;
using parallel::Communicator;
using parallel::failure_of;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kLeastFree = 64 * kMiB;  // if the size of a checkpoint is not known
constexpr double kSpare = 1.2;             // as io::CheckpointOptions::space_factor
constexpr int64_t kFilesOfACheckpoint = 4, kOtherFiles = 16;
constexpr double kShareOfSaving = 0.1;  // of the time between saves
constexpr std::chrono::seconds kVisibleWithin{5};
constexpr const char* kText = "written by lynceus doctor\n";

constexpr const char* kChooseAnother =
    "choose another folder (--run), on a file system for parallel output that all nodes share";

std::string size_text(int64_t bytes) { return bytes_text(static_cast<uint64_t>(bytes)); }

fs::path nearest_folder(const fs::path& directory) {
  std::error_code ignored;
  fs::path at = fs::absolute(directory);
  while (!fs::is_directory(at, ignored) && at.has_parent_path() && at != at.parent_path())
    at = at.parent_path();
  return at;
}

/// Another rank's change may become visible after a while, as on NFS.
bool comes_true(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kVisibleWithin;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

class StorageCheck {
 public:
  StorageCheck(Communicator& world, const fs::path& folder, const StorageNeeds& needs,
               const StorageOptions& options)
      : world_(world), needs_(needs), options_(options) {
    const std::string token = world.rank() == 0 ? io::this_process().token : "";
    scratch_ = folder / (".doctor-" + world.broadcast(token, 0).substr(0, 16));
    before_ = scratch_ / "before";
    after_ = scratch_ / "after";
  }

  CheckResults run() {
    // What follows a fault would only repeat it.
    if (add(write()) && add(visible()) && add(rename()) && add(remove()) && add(locks()))
      for (const CheckResult& finding : try_checkpoint(world_, scratch_, options_.quick, needs_))
        add(finding);
    if (world_.rank() == 0) {
      std::error_code ignored;
      fs::remove_all(scratch_, ignored);
    }
    return findings_;
  }

 private:
  bool add(const CheckResult& finding) {
    findings_.push_back(finding);
    return finding.verdict != Verdict::kCritical;
  }
  void show(const char* what) const {
    if (options_.progress) options_.progress(what);
  }
  /// Collective: what failed on rank 0.
  std::string on_rank_0(const std::function<void()>& work) {
    return parallel::agreed_failure(world_, world_.rank() == 0 ? failure_of(work) : "");
  }
  /// Collective: the first rank on which `holds` does not come true.
  std::string everywhere(const std::function<bool()>& holds, const std::string& otherwise) {
    return parallel::agreed_failure(world_, comes_true(holds) ? "" : otherwise);
  }
  static CheckResult critical_if(const char* check, const std::string& failure, const char* good,
                                 const char* remedy) {
    return judged(check, failure.empty() ? Verdict::kOk : Verdict::kCritical,
                  failure.empty() ? good : failure, good, remedy);
  }

  CheckResult write() {
    show("write");
    const std::string failure = on_rank_0([&] {
      fs::create_directory(scratch_);
      io::File file = io::File::create(before_);
      file.append(kText, std::strlen(kText));
      file.sync();
      file.close();
      io::sync_directory(scratch_);
    });
    return critical_if("storage.write", failure, "a file that can be written and synced",
                       "make the folder writable (chmod, chown, mount -o remount,rw), or choose "
                       "another one (--run)");
  }

  CheckResult visible() {
    const std::string failure = everywhere(
        [&] {
          return failure_of([&] {
                   if (io::read_text(before_) != kText) throw IoError("other bytes");
                 })
              .empty();
        },
        fmt::format("{} is missing or has other bytes", before_.string()));
    return critical_if("storage.shared", failure, "a file of rank 0 that all ranks read",
                       kChooseAnother);
  }

  CheckResult rename() {
    show("rename");
    std::string failure = on_rank_0([&] {
      io::rename_new(before_, after_);
      io::sync_directory(scratch_);
    });
    if (failure.empty())
      failure = everywhere([&] { return is_there(after_) && !is_there(before_); },
                           "a renamed file keeps its old name");
    return critical_if("storage.rename", failure, "a renamed file that all ranks see",
                       kChooseAnother);
  }

  CheckResult remove() {
    std::string failure = on_rank_0([&] {
      if (!fs::remove(after_)) throw IoError("{}: no such file", after_.string());
    });
    if (failure.empty())
      failure = everywhere([&] { return !is_there(after_); }, "a removed file is still there");
    return critical_if("storage.remove", failure, "a removed file that no rank sees",
                       kChooseAnother);
  }

  /// Lynceus itself takes no file locks.
  CheckResult locks() {
    const std::string failure = on_rank_0([&] {
      const io::File file = io::File::create(before_);
      struct flock whole {};
      whole.l_type = F_WRLCK;
      whole.l_whence = SEEK_SET;
      if (flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0)
        throw IoError("flock: {}", std::strerror(errno));
      if (fcntl(file.descriptor(), F_SETLK, &whole) != 0)
        throw IoError("fcntl: {}", std::strerror(errno));
    });
    return judged("storage.locks", failure.empty() ? Verdict::kOk : Verdict::kWarning,
                  failure.empty() ? "file locks work" : failure, "file locks",
                  "runs work without them; for other programs that read the files: export "
                  "HDF5_USE_FILE_LOCKING=FALSE, or let the site mount with locks (Lustre: -o "
                  "flock)");
  }

  Communicator& world_;
  const StorageNeeds& needs_;
  const StorageOptions& options_;
  fs::path scratch_, before_, after_;
  CheckResults findings_;
};

}  // namespace

StorageSpace read_space(const fs::path& folder) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0)
    throw IoError("{}: statvfs: {}", folder.string(), std::strerror(errno));
  StorageSpace space;
  space.free_bytes = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  if (info.f_files > 0) space.free_inodes = static_cast<int64_t>(info.f_favail);
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    space.file_limit = static_cast<int64_t>(limit.rlim_cur);
  return space;
}

CheckResult check_space(const StorageSpace& space, const StorageNeeds& needs) {
  constexpr const char* kCheck = "storage.space";
  const std::string free = fmt::format("{} free", size_text(space.free_bytes));
  if (space.file_limit && *space.file_limit < std::max(needs.checkpoint_bytes, kMiB))
    return judged(
        kCheck, Verdict::kCritical,
        fmt::format("files of at most {}", size_text(*space.file_limit)),
        fmt::format("{} for a checkpoint", size_text(std::max(needs.checkpoint_bytes, kMiB))),
        "ulimit -f unlimited where the job starts");
  if (needs.checkpoint_bytes == 0)
    return judged(kCheck, space.free_bytes < kLeastFree ? Verdict::kWarning : Verdict::kOk, free,
                  "at least " + size_text(kLeastFree),
                  "free some space, or choose another folder (--run)");
  const auto one = static_cast<int64_t>(kSpare * static_cast<double>(needs.checkpoint_bytes));
  const int64_t all = needs.kept * needs.checkpoint_bytes + one;
  Verdict verdict = Verdict::kOk;
  if (space.free_bytes < all) verdict = Verdict::kWarning;
  if (space.free_bytes < one + needs.checkpoint_bytes) verdict = Verdict::kCritical;
  return judged(kCheck, verdict, free,
                fmt::format("{} for {} checkpoints of {}", size_text(all), needs.kept + 1,
                            size_text(needs.checkpoint_bytes)),
                "free some space, ask for a larger quota, choose another folder (--run), or keep "
                "fewer checkpoints (--checkpoint.keep_last)");
}

CheckResult check_inodes(const StorageSpace& space, const StorageNeeds& needs) {
  constexpr const char* kCheck = "storage.inodes";
  if (!space.free_inodes) return passed(kCheck, "not counted by the file system");
  const int64_t needed = kFilesOfACheckpoint * (needs.kept + 1) + kOtherFiles;
  return judged(kCheck, *space.free_inodes < needed ? Verdict::kCritical : Verdict::kOk,
                fmt::format("{} free", count_text(*space.free_inodes)),
                fmt::format("at least {}", needed),
                "remove files that are no longer needed (many small ones use up inodes), or ask "
                "for a larger quota of files");
}

CheckResult check_write_rate(int64_t bytes, double seconds, const StorageNeeds& needs) {
  const double rate = static_cast<double>(bytes) / std::max(seconds, 1e-6);
  std::string measured =
      fmt::format("{:.0f} MiB/s, fsync included", rate / static_cast<double>(kMiB));
  const double save = static_cast<double>(needs.checkpoint_bytes) / rate;
  if (needs.checkpoint_bytes > 0) measured += fmt::format(": a save of {}", seconds_text(save));
  const double most = 60 * kShareOfSaving * needs.every_minutes;
  CheckResult finding = judged(
      "storage.write-rate", most > 0 && save > most ? Verdict::kWarning : Verdict::kOk, measured,
      most > 0 ? fmt::format("at most a tenth of the {} between saves",
                             seconds_text(60 * needs.every_minutes))
               : "any: no time between saves is given",
      "stripe the folder over more servers (lfs setstripe -c -1), choose a faster file system, or "
      "save less often (--checkpoint.every_minutes)");
  finding.figures["bytes_per_second"] = rate;
  return finding;
}

CheckResults check_storage(Communicator& world, const fs::path& directory,
                           const StorageNeeds& needs, const StorageOptions& options) {
  const std::string mine = nearest_folder(directory).string();
  const fs::path folder = world.broadcast(mine, 0);
  CheckResult where = passed("storage.folder", folder.string());
  StorageSpace space;
  const std::string failure =
      parallel::agreed_failure(world, failure_of([&] { space = read_space(folder); }));
  if (!failure.empty())
    return {judged("storage.folder", Verdict::kCritical, failure, "a folder that all ranks see",
                   kChooseAnother)};
  CheckResults findings = {where, check_space(space, needs), check_inodes(space, needs)};
  // Space and quota may differ from node to node; rank 0 writes the manifest, so it decides.
  const bool goes_on =
      world.broadcast(worst_of(findings) == Verdict::kCritical ? "" : "on", 0) == "on";
  if (!goes_on) return findings;
  for (const CheckResult& finding : StorageCheck(world, folder, needs, options).run())
    findings.push_back(finding);
  return findings;
}

}  // namespace lynceus::doctor
