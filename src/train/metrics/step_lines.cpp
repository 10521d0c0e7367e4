// Appends complete lines or nothing; cutting keeps the dropped lines in the superseded file.
#include "train/metrics/step_lines.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "io/files/file.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

/// Appends all of `text`, or restores the old size of the file, so that no partial line remains.
void append_all(const fs::path& path, const std::string& text) {
  io::File file = io::File::open_appending(path);
  const uint64_t before = file.size();
  try {
    file.append(text.data(), text.size());
  } catch (...) {
    std::error_code ignored;
    fs::resize_file(path, before, ignored);
    throw;
  }
  file.close();
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
  if (dropped.empty()) return;
  append_all(superseded_, dropped);
  io::sync_file(superseded_);  // before the other copy is removed
  io::atomic_write_text(path_, kept);
}

void StepLines::append(const std::string& lines) {
  unwritten_ += lines;
  flush();
}

int64_t StepLines::flush() {
  if (unwritten_.empty()) return 0;
  try {
    append_all(path_, unwritten_);
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
