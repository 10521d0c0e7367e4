// Appends complete lines or nothing; cutting keeps the dropped lines in the superseded file.
#include "train/metrics/step_lines.h"

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

void StepLines::cut_after(int64_t step) {
  if (!io::file_exists(path_)) return;
  std::istringstream in(io::read_text(path_, std::numeric_limits<uint64_t>::max()));
  std::string kept, dropped;
  for (std::string line; std::getline(in, line);) {
    const std::optional<int64_t> number = step_of_(line);
    (number && *number <= step ? kept : dropped) += line + "\n";
  }
  if (dropped.empty()) return;
  append_all(superseded_, dropped);
  io::sync_file(superseded_);  // before the other copy is removed
  io::atomic_write_text(path_, kept);
}

void StepLines::append(const std::string& lines) {
  const bool first_failure = unwritten_.empty();
  unwritten_ += lines;
  try {
    append_all(path_, unwritten_);
    unwritten_.clear();
  } catch (const Error& error) {
    if (first_failure)
      log::warn("{}: cannot be written, its lines are kept and written later: {}", path_.string(),
                error.what());
  }
}

}  // namespace lynceus::train
