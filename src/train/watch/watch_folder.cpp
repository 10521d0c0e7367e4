#include "train/watch/watch_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <exception>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kTimeout{10};
constexpr const char* kClaim = "report-by";

/// Runs `work` on a thread of its own; nullopt if it has not returned after the time-out. It must
/// own what it uses: then it runs on.
template <typename Work, typename Result = std::invoke_result_t<Work>>
std::optional<Result> in_time(Work work) try {
  auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> result = promise->get_future();
  std::thread([promise, work = std::move(work)] {
    try {
      promise->set_value(work());
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  }).detach();
  if (result.wait_for(kTimeout) != std::future_status::ready) return std::nullopt;
  return result.get();
} catch (const std::exception&) {  // no thread, no memory
  return std::nullopt;
}

fs::path state_file(const fs::path& folder, int rank) {
  return folder / fmt::format("rank-{}", rank);
}

bool write_file(const fs::path& path, const std::string& text, int flags) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return close(file) == 0 && written;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

bool WatchFolder::write_state(int rank, const std::string& text) const {
  return in_time([path = path_, rank, text] {
           std::error_code error;
           fs::create_directories(path, error);
           return write_file(state_file(path, rank), text, O_TRUNC);
         })
      .value_or(false);
}

bool WatchFolder::remove_state(int rank) const {
  return in_time([path = path_, rank] {
           std::error_code error;
           fs::remove(state_file(path, rank), error);
           if (read_file(path / kClaim) == fmt::format("{}\n", rank))
             unlink((path / kClaim).c_str());
           // The last one removes the folders, which are empty then.
           if (rmdir(path.c_str()) == 0) rmdir(path.parent_path().c_str());
           return !error;
         })
      .value_or(false);
}

std::optional<std::vector<std::string>> WatchFolder::read_states(int ranks) const {
  return in_time([path = path_, ranks] {
    std::vector<std::string> texts;
    for (int rank = 0; rank < ranks; ++rank) texts.push_back(read_file(state_file(path, rank)));
    return texts;
  });
}

WatchFolder::Claim WatchFolder::claim(int rank) const {
  const auto claimed = in_time([path = path_ / kClaim, rank] {
    const std::string mine = fmt::format("{}\n", rank);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (write_file(path, mine, O_EXCL)) return Claim::kMine;
    const auto written = fs::last_write_time(path, error);
    if (error) return Claim::kNoAnswer;
    const bool is_mine = read_file(path) == mine;
    if (!is_mine &&
        fs::file_time_type::clock::now() - written < std::chrono::seconds(kClaimSeconds))
      return Claim::kOther;
    return write_file(path, mine, O_TRUNC) ? Claim::kMine : Claim::kNoAnswer;
  });
  return claimed.value_or(Claim::kNoAnswer);
}

void WatchFolder::remove_others() const {
  std::error_code error;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(path_.parent_path(), error))
    if (entry.path() != path_) others.push_back(entry.path());
  for (const fs::path& other : others) fs::remove_all(other, error);
  rmdir(path_.parent_path().c_str());  // fails if this start has a folder already
}

bool WatchFolder::append_to_log(const fs::path& run_directory, const std::string& text) {
  return in_time([path = run_directory / "log" / "train.log", text] {
           const auto now = std::chrono::system_clock::now();
           const auto milliseconds =
               std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch())
                   .count() %
               1000;
           const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
           const std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03} E {}\n",
                                                fmt::localtime(seconds), milliseconds, text);
           return write_file(path, line, O_APPEND);
         })
      .value_or(false);
}

}  // namespace lynceus::train
