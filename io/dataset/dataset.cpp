#include "io/dataset/dataset.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "io/files/file_pattern.h"

namespace lynceus::io {

Dataset::Dataset(std::string name, const std::string& pattern) : name_(std::move(name)) {
  const std::vector<std::string> files = files_matching(pattern);
  if (files.empty()) {
    throw InputError("dataset {}: expected files that match {}, found none{}", name_, pattern,
                     pattern_hint(pattern));
  }
  for (const std::string& file : files) {
    shards_.emplace_back(file);
    first_sample_.push_back(first_sample_.back() + shards_.back().size());
  }
}

std::string Dataset::fingerprint() const {
  std::string text;
  for (const ShardReader& shard : shards_) text += shard.sidecar().to_text();
  return digest128(text.data(), text.size()).hex();
}

Dataset::Place Dataset::locate(int64_t sample) const {
  LYNCEUS_CHECK(sample >= 0 && sample < size(), "sample {} of {} in dataset {}", sample, size(),
                name_);
  const auto next = std::upper_bound(first_sample_.begin(), first_sample_.end(), sample);
  const auto shard = static_cast<size_t>(next - first_sample_.begin() - 1);
  return {shards_[shard], sample - first_sample_[shard]};
}

int64_t Dataset::text_length(int64_t sample) const {
  const Place place = locate(sample);
  return place.shard.text_length(place.sample);
}

MediaKind Dataset::kind(int64_t sample) const {
  const Place place = locate(sample);
  return place.shard.kind(place.sample);
}

int Dataset::media_count(int64_t sample) const {
  const Place place = locate(sample);
  return place.shard.media_count(place.sample);
}

std::vector<Turn> Dataset::turns(int64_t sample) const {
  const Place place = locate(sample);
  return place.shard.turns(place.sample);
}

std::string Dataset::key(int64_t sample) const {
  const Place place = locate(sample);
  return place.shard.key(place.sample);
}

std::string Dataset::read_media(int64_t sample, int index) const {
  const Place place = locate(sample);
  return place.shard.read_media(place.sample, index);
}

const ShardInfo& Dataset::info(int64_t sample) const { return locate(sample).shard.info(); }

std::string Dataset::describe(int64_t sample) const {
  const Place place = locate(sample);
  return fmt::format("{}: sample {} ({})", place.shard.path().string(), place.sample,
                     place.shard.key(place.sample));
}

}  // namespace lynceus::io
