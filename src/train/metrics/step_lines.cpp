// Appends complete lines or nothing; cutting keeps the dropped lines in the superseded file.
#include "train/metrics/step_lines.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

/// Appends all of `text`, or restores the old size of the file, so that no partial line remains.
void append_all(io::File* file, const std::string& text) {
  const uint64_t before = file->size();
  try {
    file->append(text.data(), text.size());
    // Network file systems say only at a close what they could not write.
    if (::close(::dup(file->descriptor())) != 0)
      throw IoError("close '{}': {}", file->path().string(), std::strerror(errno));
  } catch (...) {
    [[maybe_unused]] const int ignored =
        ::ftruncate(file->descriptor(), static_cast<off_t>(before));
    *file = io::File();
    throw;
  }
}

}  // namespace

StepLines::StepLines(const fs::path& run_directory, const std::string& stem,
                     const std::string& extension, StepOf step_of)
    : path_(run_directory / (stem + extension)),
      superseded_(run_directory / (stem + ".superseded" + extension)),
      step_of_(std::move(step_of)) {}

StepLines::Parts StepLines::parts_of(const std::string& text, int64_t step) const {
  Parts parts;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const std::optional<int64_t> number = step_of_(line);
    (number && *number <= step ? parts.kept : parts.dropped) += line + "\n";
  }
  return parts;
}

void StepLines::cut_after(int64_t step) {
  flush();
  unwritten_ = parts_of(unwritten_, step).kept;
  if (!io::file_exists(path_)) return;
  const auto [kept, dropped] =
      parts_of(io::read_text(path_, std::numeric_limits<uint64_t>::max()), step);
  if (!dropped.empty()) {
    io::File superseded = io::File::open_appending(superseded_);
    append_all(&superseded, dropped);
    superseded.sync();  // before the other copy is removed
  }
  io::atomic_write_text(path_, kept);
  file_ = io::File::open_appending(path_);
}

void StepLines::append(const std::string& lines) {
  unwritten_ += lines;
  flush();
}

int64_t StepLines::flush() {
  if (unwritten_.empty()) return 0;
  try {
    if (!file_.is_open()) file_ = io::File::open_appending(path_);
    append_all(&file_, unwritten_);
    unwritten_.clear();
    has_warned_ = false;
  } catch (const Error& error) {
    if (!has_warned_)
      log::warn("{}: cannot be written, its lines are kept and written later: {}", path_.string(),
                error.what());
    has_warned_ = true;
  }
  return std::count(unwritten_.begin(), unwritten_.end(), '\n');
}

}  // namespace lynceus::train
