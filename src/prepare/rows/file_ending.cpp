#include "prepare/rows/file_ending.h"

#include <algorithm>
#include <array>

#include "core/text/ascii.h"

namespace lynceus::prepare {

FileContent content_of_ending(const std::string& ending) {
  constexpr std::array kImages = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"};
  const std::string lower = ascii_lower(ending);
  if (std::find(kImages.begin(), kImages.end(), lower) != kImages.end()) return FileContent::kImage;
  if (lower == "txt") return FileContent::kText;
  return lower == "json" ? FileContent::kJson : FileContent::kOther;
}

}  // namespace lynceus::prepare
