// The digests of the newest stored media, so that equal media are found again. Memory is bounded:
// at most `most` digests are remembered, about 50 bytes each; the oldest are forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

namespace lynceus::io {

class RecentMedia {
 public:
  static constexpr size_t kMost = size_t{1} << 20;

  explicit RecentMedia(size_t most = kMost) : most_(most) {}

  /// The number of the newest remembered item with this digest.
  std::optional<uint64_t> find(uint64_t digest) const;
  /// Remembers an item. Items are numbered 0, 1, 2 ... in the order of these calls.
  void add(uint64_t digest);
  size_t size() const { return newest_.size(); }  ///< digests remembered

 private:
  size_t most_;
  uint64_t added_ = 0;
  std::deque<uint64_t> digests_;                   // of the last items, the oldest first
  std::unordered_map<uint64_t, uint64_t> newest_;  // digest -> number of the item
};

}  // namespace lynceus::io
