// Pictures as a page embeds them, so that one HTML file has everything in it.
#pragma once

#include <string>

namespace lynceus::evaluate {

struct EmbeddedPicture {
  int width = 0, height = 0;  ///< pixels
  std::string source;         ///< "data:image/png;base64,..."
};

/// `bytes`: an encoded image, which is embedded unchanged if browsers show its format, else as
/// JPEG. InputError with `name` if it is damaged.
EmbeddedPicture embedded_picture(std::string bytes, const std::string& name);

}  // namespace lynceus::evaluate
