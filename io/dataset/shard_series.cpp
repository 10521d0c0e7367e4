#include "io/dataset/shard_series.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/dataset/shard_sidecar.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

/// Whether `file` is NAME.h5 or NAME-<digits>.h5.
bool belongs(const std::string& file, const std::string& name) {
  constexpr std::string_view kSuffix = ".h5";
  if (!file.starts_with(name) || !file.ends_with(kSuffix) ||
      file.size() < name.size() + kSuffix.size()) {
    return false;
  }
  const std::string middle = file.substr(name.size(), file.size() - name.size() - kSuffix.size());
  return middle.empty() || (middle.size() > 1 && middle[0] == '-' &&
                            middle.find_first_not_of("0123456789", 1) == std::string::npos);
}

/// Whether this is a temporary file that a killed run left for a shard of this series.
bool is_leftover(const std::string& file, const std::string& name) {
  const size_t at = file.find(".h5.tmp.");
  return at != std::string::npos && belongs(file.substr(0, at + 3), name);
}

void remove_shard(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
  fs::remove(ShardSidecar::path_of(path), ignored);
}

}  // namespace

std::vector<fs::path> ShardSeries::existing(const fs::path& directory, const std::string& name) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (belongs(entry.path().filename().string(), name)) found.push_back(entry.path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw IoError("cannot list {}: {}", directory.string(), error.message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

ShardSeries::ShardSeries(fs::path directory, std::string name, ShardInfo info, uint64_t max_bytes)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      info_(std::move(info)),
      max_bytes_(max_bytes) {}

ShardSeries::~ShardSeries() {
  if (closed_ || on_shard_) return;
  for (const fs::path& file : state_.files) remove_shard(file);
}

void ShardSeries::keep_shards(ShardSeriesState earlier,
                              std::function<void(const ShardSeriesState&)> on_shard) {
  state_ = std::move(earlier);
  on_shard_ = std::move(on_shard);
}

void ShardSeries::add(const Sample& sample) {
  if (!writer_) writer_ = std::make_unique<ShardWriter>(current_path(), info_);
  const int64_t stored_before = writer_->stored_media();
  const uint64_t bytes_before = writer_->media_bytes();
  writer_->add(sample);
  ++state_.samples;
  state_.media += static_cast<int64_t>(sample.media.size());
  state_.stored_media += writer_->stored_media() - stored_before;
  state_.media_bytes += writer_->media_bytes() - bytes_before;
  if (writer_->bytes() >= max_bytes_) close_shard();
}

fs::path ShardSeries::current_path() const {
  const std::string number = state_.files.empty() ? "" : "-" + std::to_string(state_.files.size());
  return directory_ / (name_ + number + ".h5");
}

void ShardSeries::close_shard() {
  if (before_shard_) before_shard_();
  writer_->close();
  writer_.reset();
  state_.files.push_back(current_path());
  if (on_shard_) on_shard_(state_);
}

void ShardSeries::close() {
  if (writer_) close_shard();
  closed_ = true;
  std::error_code ignored;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    if (is_leftover(entry.path().filename().string(), name_)) leftovers.push_back(entry.path());
  }
  for (const fs::path& file : leftovers) fs::remove(file, ignored);
  for (const fs::path& file : existing(directory_, name_)) {
    if (std::find(state_.files.begin(), state_.files.end(), file) == state_.files.end())
      remove_shard(file);
  }
}

}  // namespace lynceus::io
