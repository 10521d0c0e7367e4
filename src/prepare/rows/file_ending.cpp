#include "prepare/rows/file_ending.h"

#include <algorithm>
#include <array>

namespace lynceus::prepare {

FileContent content_of_ending(const std::string& ending) {
  constexpr std::array kImages = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"};
  const std::string lower = lower_case(ending);
  if (std::find(kImages.begin(), kImages.end(), lower) != kImages.end()) return FileContent::kImage;
  if (lower == "txt") return FileContent::kText;
  return lower == "json" ? FileContent::kJson : FileContent::kOther;
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace lynceus::prepare
