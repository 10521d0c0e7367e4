// Image files below a root directory, read as encoded bytes and checked once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>

namespace lynceus::prepare {

/// kDecode: decode each image once. kHeader: read only its type and size.
enum class ImageCheck { kDecode, kHeader };

constexpr uint64_t kMaxImageBytes = 64ull << 20;

/// Returns the bytes of image files unchanged. RejectedRow for an image that is absent, too large,
/// damaged or outside the root.
class ImageReader {
 public:
  /// IoError if `root` is not a directory.
  ImageReader(std::filesystem::path root, ImageCheck check);

  /// `path` is relative to the root; `where` is the position of the row, for messages.
  std::string read(const std::string& path, const std::string& where);

 private:
  std::filesystem::path root_;
  ImageCheck check_;
  std::unordered_set<std::string> checked_;  // many rows share an image
};

/// RejectedRow unless training can read these bytes as an image. `name` is for the message.
void check_image(std::string_view encoded, const std::string& name, ImageCheck check);

/// `path` normalized. RejectedRow for a path that is absolute or leads out of its root.
std::filesystem::path path_below(const std::string& path, const std::string& where);

}  // namespace lynceus::prepare
