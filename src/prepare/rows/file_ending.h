// What a file or an archive entry contains, by its ending.
#pragma once

#include <string>

namespace lynceus::prepare {

enum class FileContent { kImage, kText, kJson, kOther };

/// `ending` is without its dot, in upper or lower case: jpg, jpeg, png, webp, gif, bmp, tif, tiff;
/// txt; json.
FileContent content_of_ending(const std::string& ending);

}  // namespace lynceus::prepare
