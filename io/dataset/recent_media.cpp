#include "io/dataset/recent_media.h"

namespace lynceus::io {

std::optional<uint64_t> RecentMedia::find(uint64_t digest) const {
  const auto found = newest_.find(digest);
  if (found == newest_.end()) return std::nullopt;
  return found->second;
}

void RecentMedia::add(uint64_t digest) {
  newest_[digest] = added_++;
  digests_.push_back(digest);
  if (digests_.size() <= most_) return;
  const uint64_t oldest = added_ - digests_.size();
  const auto found = newest_.find(digests_.front());
  if (found->second == oldest) newest_.erase(found);  // otherwise a newer item has this digest
  digests_.pop_front();
}

}  // namespace lynceus::io
